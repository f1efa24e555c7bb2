import { formatTableName, type StreamPlan } from '../../domain/table.js';
import { findRefused, takeWhatCan } from '../bad-row-search.js';
import { collapseMutations, splitByTime } from '../collapse.js';
import { BadRowError } from '../failures.js';
import type { AppliedFigures, ApplyMutation } from '../target.js';
import { planBatches } from './batch.js';
import type { Objection } from './objection.js';
import type { ChangeWriter, Outcome } from './parts.js';
import type { RefusedChange } from './refused-change.js';

export interface SpanWriterOptions {
  readonly plan: StreamPlan;
  readonly writer: ChangeWriter;
  /** Rows of one statement. */
  readonly flushSize: number;
  /** True for the first attempt at the set, and for one span of a transaction (see `SetOptions`). */
  readonly bulk: boolean;
  /** Where a change that is refused even so is put aside, and everything else is written; null: the first one is thrown. */
  readonly putAside: RefusedChange[] | null;
}

/**
 * Writes changes in time order inside the caller's transaction. A span is written as a set: the last change of each key, in few
 * statements. When the database objects to every way of writing the set (to a row that it will never take), the set is undone and
 * each half of the span's time written after the other, down to single timestamps: every part then ends in a state in which the
 * source was, which its constraints have allowed.
 * @throws BadRowError for the first row that is refused even so, unless it is put aside; any other error of the driver as it is
 */
export async function writeSpan(
  options: SpanWriterOptions,
  mutations: readonly ApplyMutation[],
): Promise<AppliedFigures> {
  const collapsed = collapseMutations(mutations);
  const halves = splitByTime(mutations);
  const most = halves === null ? Infinity : MOST_MOVED;
  const outcome = await options.writer.writeSet(collapsed, { most, bulk: options.bulk });
  if (outcome === 'written') return count(collapsed);
  const again = { ...options, bulk: false };
  if (halves === null) {
    const refused = await finishTimestamp(again, collapsed, outcome);
    return { ...count(collapsed.filter((change) => !refused.has(change))), inSourceOrder: true };
  }
  const first = await writeSpan(again, halves[0]);
  const second = await writeSpan(again, halves[1]);
  return {
    upserts: first.upserts + second.upserts,
    deletes: first.deletes + second.deletes,
    inSourceOrder: true,
  };
}

/** Beyond so many rows to be moved for others, half of the time is tried: the values may pass one after the other. */
const MOST_MOVED = 10_000;

function count(mutations: readonly ApplyMutation[]): AppliedFigures {
  const upserts = mutations.filter((mutation) => mutation.after !== null).length;
  return { upserts, deletes: mutations.length - upserts, inSourceOrder: false };
}

/** The changes of one timestamp, one for each key, after they were refused as a set. Returns those that are put aside. */
async function finishTimestamp(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  refused: Exclude<Outcome, 'written'>,
): Promise<ReadonlySet<ApplyMutation>> {
  const possible = await options.writer.withoutImpossibleDeletes(changes);
  const whole = possible === changes ? refused : await options.writer.writeSet(possible, WHOLE);
  if (whole === 'written') return NONE;
  if (whole === 'no way') throw noWay(options, possible);
  const { putAside } = options;
  if (putAside === null) {
    await searchTimestamp(options, possible, whole);
    return NONE;
  }
  // No new session comes after a mend, as it does after a halt. Once that something was put aside, the tables are as they are now.
  if (putAside.length === 0) options.writer.forget();
  return finishWithout(options, possible, putAside);
}

const NONE: ReadonlySet<ApplyMutation> = new Set();
const WHOLE = { most: Infinity, bulk: false };

/**
 * Puts aside what is refused, and writes the rest. Without a row that belongs to it, a transaction is none of the source's: where a foreign key
 * acts, parts of it would change or delete rows that no change is for, and so would a later delete, by way of the old row that a refused change
 * has left. Such a family of tables is written as a whole or not at all.
 */
async function finishWithout(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  refused: RefusedChange[],
): Promise<ReadonlySet<ApplyMutation>> {
  const acting: ApplyMutation[] = [];
  const others: ApplyMutation[] = [];
  for (const change of changes) {
    const acts = await options.writer.acts(change.table);
    (acts ? acting : others).push(change);
  }
  const outcome = await options.writer.writeSet(acting, WHOLE);
  if (outcome === 'no way') throw noWay(options, acting);
  if (outcome !== 'written') await searchTimestamp(options, acting, outcome, NOT_PUT_ASIDE);
  const aside =
    others.length === 0 ? [] : await takeWhatCan(inOrder(others), takerOf(options), ({ ofOrder }) => ofOrder);
  for (const one of aside) refused.push(await describeRefused(options, one));
  return new Set(aside.map(({ item }) => item));
}

const NOT_PUT_ASIDE =
  '; it is not put aside, because a foreign key with an action (CASCADE, SET NULL, SET DEFAULT) is bound up with its table and enforcement is on';

/** In the order in which they are written. */
function inOrder(changes: readonly ApplyMutation[]): readonly ApplyMutation[] {
  return planBatches(changes, Infinity).flatMap((batch) => batch.rows);
}

function takerOf(options: SpanWriterOptions): (part: readonly ApplyMutation[]) => Promise<Objection | null> {
  return async (part) => {
    const outcome = await options.writer.writeSet(part, WHOLE);
    if (outcome === 'no way') throw noWay(options, part);
    return outcome === 'written' ? null : outcome;
  };
}

/**
 * Names the row that is refused among the changes of one timestamp, one for each key. A part of them may be refused only because the rest is
 * missing, so a refusal counts when it is the one that the whole met with; if there is none, any counts.
 */
async function searchTimestamp(
  options: SpanWriterOptions,
  changes: readonly ApplyMutation[],
  whole: Objection,
  besides = '',
): Promise<void> {
  const rows = inOrder(changes);
  const take = takerOf(options);
  const isSame = ({ code, named }: Objection): boolean =>
    code === whole.code && named.constraint === whole.named.constraint;
  const found = (await findRefused(rows, take, isSame)) ?? (await findRefused(rows, take, () => true));
  if (found === null) return;
  const { item, refusal } = found;
  const { column, code, reason } = await describeRefused(options, found);
  throw new BadRowError(
    nameOf(options, item),
    Buffer.from(item.key).toString('utf8').slice(0, SHOWN_KEY_LENGTH),
    column,
    code,
    reason + besides,
    { cause: refusal },
  );
}

async function describeRefused(
  { writer }: SpanWriterOptions,
  { item, refusal }: { readonly item: ApplyMutation; readonly refusal: Objection },
): Promise<RefusedChange> {
  const { code, ofOrder } = refusal;
  const { column, reason } = ofOrder ? { column: null, reason: refusal.message } : await writer.explain(item, refusal);
  return { change: item, column, code, reason, ofOrder };
}

const SHOWN_KEY_LENGTH = 500;

function nameOf({ plan }: SpanWriterOptions, { table }: ApplyMutation): string {
  const planned = plan[table]?.target;
  return planned === undefined ? `table ${table}` : formatTableName(planned);
}

function noWay(options: SpanWriterOptions, changes: readonly ApplyMutation[]): Error {
  return options.writer.noWay([...new Set(changes.map((change) => nameOf(options, change)))]);
}
