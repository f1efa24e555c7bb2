import { maxHlc, type Hlc } from '../../domain/hlc.js';
import type { IncomingMutation } from '../../domain/mutation.js';
import type { AcceptResult, StageBinding } from '../stage.js';
import { encodeHlc } from '../encode-hlc.js';
import { rowIdentity, storedKey, type StagedRow } from './rows.js';

/** The rows of a group of bodies, each once: a statement cannot write a row twice. */
export type GroupRows = Map<string, StagedRow>;

/** What is known of one body before the database has said which of its rows it had. */
export interface PlannedBody {
  readonly dropped: number;
  /** There was one of this row before it in the group. */
  readonly repeated: number;
  readonly rows: readonly { readonly identity: string; readonly atOrBeforeResolved: boolean }[];
}

/** Adds the rows of one body to its group. The last of two equal rows is written, as if one overwrote the other. */
export function planBody(
  group: GroupRows,
  rows: readonly IncomingMutation[],
  committed: Hlc,
  bound: StageBinding,
): PlannedBody {
  const committedAt = encodeHlc(committed);
  const resolvedAt = encodeHlc(bound.resolved);
  // What was purged is not here any more: below the floor "never seen" cannot be told from "applied and deleted".
  const seenAfter = encodeHlc(maxHlc(committed, bound.floor));
  let dropped = 0;
  let repeated = 0;
  const planned: PlannedBody['rows'][number][] = [];
  for (const row of rows) {
    // Only against the committed checkpoint, never against resolved (protocol rule 10).
    if (committedAt.compare(row.at) >= 0) {
      dropped++;
      continue;
    }
    const key = storedKey(row.key);
    const identity = rowIdentity(row.at, row.table, key);
    if (group.has(identity)) repeated++;
    else
      planned.push({
        identity,
        atOrBeforeResolved: resolvedAt.compare(row.at) >= 0 && seenAfter.compare(row.at) < 0,
      });
    group.set(identity, { row, key });
  }
  return { dropped, repeated, rows: planned };
}

/**
 * Counts a body once it is durable.
 * @param known rows that the database had already
 * @param suspects rows at or before resolved of a write whose outcome was not known: when they come again, they may be there and were never counted
 */
export function countBody(body: PlannedBody, known: ReadonlySet<string>, suspects: Set<string>): AcceptResult {
  let staged = 0;
  let late = 0;
  for (const { identity, atOrBeforeResolved } of body.rows) {
    const isNew = !known.has(identity);
    if (isNew) staged++;
    if (suspects.delete(identity) || (isNew && atOrBeforeResolved)) late++;
  }
  return { staged, dropped: body.dropped, redelivered: body.rows.length - staged + body.repeated, late };
}
