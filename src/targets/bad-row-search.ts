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
