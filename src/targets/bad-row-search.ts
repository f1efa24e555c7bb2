/**
 * Finds the first item that is refused, in the order given. `take` applies a part and keeps it, or undoes it and returns the error
 * with which it was refused. What was taken before stays taken, so an item may depend on earlier ones. An item that is refused by itself with
 * an error that does not count is passed over. Null when all else is taken after all.
 */
export async function findRefused<Item, Refusal>(
  items: readonly Item[],
  take: (part: readonly Item[]) => Promise<Refusal | null>,
  counts: (refusal: Refusal) => boolean,
): Promise<{ readonly item: Item; readonly refusal: Refusal } | null> {
  const refusal = await take(items);
  if (refusal === null) return null;
  const only = items.length === 1 ? items[0] : undefined;
  if (only !== undefined) return counts(refusal) ? { item: only, refusal } : null;
  const middle = items.length >> 1;
  return (
    (await findRefused(items.slice(0, middle), take, counts)) ?? (await findRefused(items.slice(middle), take, counts))
  );
}

interface Refused<Item, Refusal> {
  readonly item: Item;
  readonly refusal: Refusal;
}

/**
 * Takes all that can be taken, and returns the rest, each with its refusal. `take` is as above. What is refused only because of others (`mayWait`)
 * is tried again with what else was refused so, until nothing more of it is taken: from the other end each time, because it may
 * have to come after what stands behind it.
 */
export async function takeWhatCan<Item, Refusal>(
  items: readonly Item[],
  take: (part: readonly Item[]) => Promise<Refusal | null>,
  mayWait: (refusal: Refusal) => boolean,
): Promise<readonly Refused<Item, Refusal>[]> {
  const forGood: Refused<Item, Refusal>[] = [];
  for (let rest = items; ;) {
    const refused = await takeParts(rest, take);
    const waiting = refused.filter(({ refusal }) => mayWait(refusal));
    forGood.push(...refused.filter(({ refusal }) => !mayWait(refusal)));
    if (waiting.length === 0 || waiting.length === rest.length) return [...forGood, ...waiting];
    rest = waiting.map(({ item }) => item).reverse();
  }
}

async function takeParts<Item, Refusal>(
  items: readonly Item[],
  take: (part: readonly Item[]) => Promise<Refusal | null>,
): Promise<readonly Refused<Item, Refusal>[]> {
  const refusal = await take(items);
  if (refusal === null) return [];
  const only = items.length === 1 ? items[0] : undefined;
  if (only !== undefined) return [{ item: only, refusal }];
  const middle = items.length >> 1;
  const first = await takeParts(items.slice(0, middle), take);
  return [...first, ...(await takeParts(items.slice(middle), take))];
}
