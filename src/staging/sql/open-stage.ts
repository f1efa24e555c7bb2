import { randomInt } from 'node:crypto';
import { formatHlc, type Hlc } from '../../domain/hlc.js';
import type { IncomingMutation } from '../../domain/mutation.js';
import { requireBound } from '../bound.js';
import { encodeHlc } from '../encode-hlc.js';
import { createGroupWriter, type Job } from '../group-writer.js';
import { NoRoomError, StaleIncarnationError, type AcceptResult, type Stage, type StageBinding } from '../stage.js';
import { countBody, planBody, type GroupRows, type PlannedBody } from './accept.js';
import type { StageDatabase } from './connection.js';
import { StageClosedError, StageCorruptError, unavailable } from './errors.js';
import { createPurge } from './purge.js';
import { openReader } from './reader.js';
import { asArray, packRows, rowBytes, rowIdentity, type StagedRow } from './rows.js';
import { pack } from './pack.js';
import { readSpan } from './span.js';
import { stageStatements } from './statements.js';
import { openWriter } from './writer.js';

export interface SqlStageOptions {
  readonly database: StageDatabase;
  readonly schema: string;
  readonly stream: string;
}

/** Of one statement. CockroachDB refuses messages of more than 16 MiB, and a long statement holds up a purge and a pause. */
const STATEMENT_ROWS = 5_000;
const STATEMENT_BYTES = 4_194_304;
/** Closing waits so long for a write under way; then its connection is cut. */
const CLOSE_MS = 5_000;
/** Numbers of statements are compared for equality only. */
const MAX_NUMBER = 2 ** 47;

/** A write that shares its statement with others: what it changes is planned first. */
interface SharedJob extends Job {
  readonly alone: false;
  readonly plan: (group: Group) => void;
  /** The group is durable: `known` are the rows that were there before. */
  readonly done: (known: ReadonlySet<string>) => void;
  /** What `plan` threw: this job's own error, which does not touch the rest of its group. */
  refused?: unknown;
}

interface LoneJob extends Job {
  readonly alone: true;
  readonly run: () => Promise<void>;
}

interface Group {
  readonly rows: GroupRows;
  binding: StageBinding | null;
}

/**
 * Opens, or makes, the stage of `stream` in the tables of a staging schema, which must be there.
 * @throws StageUnavailableError
 */
export async function openSqlStage({ database, schema, stream }: SqlStageOptions): Promise<Stage> {
  const place = `stage of ${stream} in schema ${schema} of database ${database.database}`;
  const statements = stageStatements(schema);
  const writer = await openWriter({ database, statements, stream, place });
  const reader = openReader(database);
  const { id } = writer.state();
  const suspects = new Set<string>();
  const purge = createPurge(writer, statements, stream);
  /** Counts binds: a purge begun before one must not go on after it. */
  let binds = 0;
  let late = 0;
  let closed = false;
  const group = createGroupWriter<SharedJob | LoneJob>(commit);

  async function commit(jobs: readonly (SharedJob | LoneJob)[]): Promise<void> {
    const [first] = jobs;
    if (first?.alone) return first.run();
    await writer.ready();
    const { binding } = writer.state();
    const planned: Group = { rows: new Map(), binding };
    for (const job of jobs) {
      if (job.alone) continue;
      try {
        job.plan(planned);
      } catch (error) {
        job.refused = error;
      }
    }
    const known = await write(planned, binding);
    for (const job of jobs) if (!job.alone && job.refused === undefined) job.done(known);
  }

  /** Writes rows and binding; `resolved` never before the rows that it covers (protocol rule B). */
  async function write({ rows, binding }: Group, bound: StageBinding | null): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    if (binding === null || bound === null) return known;
    const parts = partsOf([...rows.values()]);
    for (const [index, part] of parts.entries()) {
      const isLast = index === parts.length - 1;
      await writePart(part, isLast ? binding : bound, known);
    }
    if (parts.length === 0 && binding !== bound) {
      await writer.write('writing resolved', statements.resolve, formatHlc(binding.resolved));
      writer.set({ binding });
    }
    return known;
  }

  async function writePart(part: readonly StagedRow[], binding: StageBinding, known: Set<string>): Promise<void> {
    const { shapes } = writer.state();
    for (const { row } of part) purge.wrote(row.at);
    const parameters = packRows(part, shapes);
    await writeColumns();
    const answer = await writer.write<{
      entries: string;
      bytes: string;
      put: string;
      ts: Buffer | null;
      tab: number;
      key: Buffer;
    }>('writing rows', statements.accept, randomInt(MAX_NUMBER), formatHlc(binding.resolved), ...parameters);
    const [{ entries, bytes, put }] = answer;
    writer.set({ binding, entries: Number(entries), bytes: Number(bytes) });
    // Two keys of one hash must not overwrite each other (protocol rule 13).
    if (Number(put) !== part.length) throw new StageCorruptError(place, 'two long keys have one hash');
    for (const { ts, tab, key } of answer) if (ts) known.add(rowIdentity(ts, tab, key));
  }

  async function writeColumns(): Promise<void> {
    const { shapes } = writer.state();
    const fresh = shapes.fresh();
    if (fresh.length === 0) return;
    const names = fresh.map(([, set]) => Buffer.from(JSON.stringify(set)));
    const starts = names.map((_, index) => 1 + names.slice(0, index).reduce((sum, one) => sum + one.length, 0));
    await writer.write(
      'writing column names',
      statements.addColumns,
      asArray(fresh.map(([shape]) => shape)),
      Buffer.concat(names),
      asArray(starts),
      asArray(names.map(({ length }) => length)),
    );
    shapes.kept();
  }

  function share<T>(rows: number, plan: (group: Group) => (known: ReadonlySet<string>) => T, failed?: () => void) {
    return new Promise<T>((resolve, reject) => {
      if (closed) return reject(new StageClosedError(place));
      let finish: ((known: ReadonlySet<string>) => T) | null = null;
      let result: T;
      const job: SharedJob = {
        rows,
        alone: false,
        plan: (planned) => void (finish = plan(planned)),
        done: (known) => void (result = (finish as (known: ReadonlySet<string>) => T)(known)),
        settle(error) {
          const failure = job.refused ?? error;
          if (!failure) return resolve(result);
          if (finish) failed?.();
          reject(failure instanceof Error ? failure : unavailable(place, 'writing', failure));
        },
      };
      group.add(job);
    });
  }

  function alone<T>(run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (closed) return reject(new StageClosedError(place));
      let result: T;
      group.add({
        rows: 0,
        alone: true,
        run: async () => {
          await writer.ready();
          result = await run();
        },
        settle(error) {
          if (error) reject(error instanceof Error ? error : unavailable(place, 'writing', error));
          else resolve(result);
        },
      });
    });
  }

  return {
    id,
    binding: () => writer.state().binding,

    bind: (incarnation, cursor, plan) =>
      alone(async () => {
        binds++;
        const [{ fill }] = await writer.write<{ fill: string }>(
          'binding it',
          statements.bind,
          incarnation,
          formatHlc(cursor),
          plan,
        );
        const binding = { incarnation, floor: cursor, resolved: cursor, plan };
        writer.set({ fill, binding, entries: 0, bytes: 0 });
        purge.bound();
      }),

    renew: (incarnation) =>
      alone(async () => {
        const { binding } = writer.state();
        if (!binding) throw new StaleIncarnationError(incarnation, null);
        await writer.write('renewing it', statements.renew, incarnation);
        writer.set({ binding: { ...binding, incarnation } });
      }),

    async accept(incarnation, rows, committed, mayGrow = true): Promise<AcceptResult> {
      if (!mayGrow) await requireHeld(rows, committed);
      let body: PlannedBody | null = null;
      const result = await share(
        rows.length,
        (planned) => {
          const bound = requireBound(planned.binding, incarnation);
          const mine = (body = planBody(planned.rows, rows, committed, bound));
          return (known) => countBody(mine, known, suspects);
        },
        () => {
          // They may be there all the same: whoever has read their span must read it again, and their redelivery counts as late.
          for (const { identity, atOrBeforeResolved } of body?.rows ?? [])
            if (atOrBeforeResolved) {
              suspects.add(identity);
              late++;
            }
        },
      );
      late += result.late;
      return result;
    },

    lateRows: () => late,

    resolve: (incarnation, resolved) =>
      share(0, (planned) => {
        const bound = requireBound(planned.binding, incarnation);
        if (resolved > bound.resolved) planned.binding = { ...bound, resolved };
        return () => undefined;
      }),

    async read(after, upTo, limits) {
      if (closed) throw new StageClosedError(place);
      const fenced = writer.fenced();
      if (fenced) throw fenced;
      const { fill } = writer.state();
      try {
        const end = encodeHlc(upTo);
        const span = await readSpan(
          {
            place,
            readPage: ({ ts, tab, key, rows, bytes }) =>
              reader.read(statements.read, [stream, fill, ts, tab, key, end, rows, bytes]),
            shapes: () => writer.state().shapes,
          },
          after,
          upTo,
          limits,
        );
        return { ...span, mutations: pack(span.mutations) };
      } catch (error) {
        if (error instanceof StageCorruptError) throw error;
        throw unavailable(place, 'reading', error);
      }
    },

    async purge(upTo) {
      const begun = binds;
      let more = true;
      while (more)
        more = await alone(async () => {
          const { binding } = writer.state();
          // After a bind the entries are another incarnation's: the target may have been set back to before `upTo`.
          return binding !== null && binds === begun && (await purge.slice(binding, upTo));
        });
    },

    figures() {
      const { entries, bytes } = writer.state();
      return { usedBytes: bytes, entries };
    },

    async close() {
      if (closed) return;
      closed = true;
      const patience = setTimeout(() => writer.abandon(), CLOSE_MS);
      await group.idle();
      clearTimeout(patience);
      await writer.close();
      reader.close();
    },
  };

  /** @throws NoRoomError for a row that is neither dropped nor there already (protocol rule 12) */
  async function requireHeld(rows: readonly IncomingMutation[], committed: Hlc): Promise<void> {
    await writer.ready();
    const { fill, binding } = writer.state();
    if (binding === null) return;
    const asked: GroupRows = new Map();
    planBody(asked, rows, committed, binding);
    const keys = [...asked.values()];
    const [answer] = await writer.ask<{ held: string }>(
      'looking for rows',
      statements.held,
      stream,
      fill,
      keys.map(({ row }) => Buffer.from(row.at)),
      keys.map(({ row }) => row.table),
      keys.map(({ key }) => Buffer.from(key)),
    );
    if (Number(answer?.held) < keys.length) throw new NoRoomError();
  }
}

function partsOf(rows: readonly StagedRow[]): readonly (readonly StagedRow[])[] {
  const parts: StagedRow[][] = [];
  let part: StagedRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = rowBytes(row);
    if (part.length > 0 && (part.length >= STATEMENT_ROWS || bytes + size > STATEMENT_BYTES)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(row);
    bytes += size;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
