import type { ComparedTable, TargetSnapshot, TextRow } from '../targets/snapshot.js';
import type { SourceReader } from './source-reader.js';

const PAGE_KEYS = 500;

/**
 * Finds up to `wanted` keys of the target that the source does not have. A page whose keys are all on the source is passed with one
 * question; another is halved until the keys stand alone, so that no key's text is ever compared with another's.
 */
export async function findExtraKeys(
  sides: { readonly source: SourceReader; readonly target: TargetSnapshot; readonly signal: AbortSignal },
  table: ComparedTable,
  wanted: number,
): Promise<readonly TextRow[]> {
  const found: TextRow[] = [];

  const search = async (keys: readonly TextRow[]): Promise<void> => {
    if (keys.length === 0 || found.length >= wanted) return;
    sides.signal.throwIfAborted();
    const there = await sides.source.countKeys(table, keys);
    if (there === keys.length) return;
    if (there === 0) {
      found.push(...keys.slice(0, wanted - found.length));
      return;
    }
    const middle = Math.ceil(keys.length / 2);
    await search(keys.slice(0, middle));
    await search(keys.slice(middle));
  };

  let after: TextRow | null = null;
  while (found.length < wanted) {
    const page: readonly TextRow[] = await sides.target.keys(table, after, PAGE_KEYS);
    await search(page);
    after = page.at(-1) ?? null;
    if (page.length < PAGE_KEYS) break;
  }
  return found;
}
