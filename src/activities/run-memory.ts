import { z } from 'zod';
import type { CheckpointStore } from '../targets/target.js';

/**
 * What a run leaves beside its checkpoint, so that a new start with the same id after Terminate or Reset goes on or cleans up, and never
 * takes our own values for the old ones (protocol rule 39).
 */
const memorySchema = z.object({
  /** Cluster settings as they were before us. */
  before: z.array(z.object({ name: z.string(), value: z.string(), isDefault: z.boolean().nullable() })).default([]),
  /** What we set, in CockroachDB's own spelling. */
  applied: z.array(z.object({ name: z.string(), ours: z.string() })).default([]),
  /** Job that protects history, and from when on. */
  protection: z.object({ jobId: z.string(), at: z.string() }).nullable().default(null),
  /** A CREATE CHANGEFEED whose answer is not known: it may still commit. */
  creating: z.boolean().default(false),
});
export type RunMemory = z.output<typeof memorySchema>;

/** What is remembered of the run; null when nothing is. */
export async function recallRun(store: CheckpointStore, run: string): Promise<RunMemory | null> {
  const record = await store.readRun(run);
  return record === null ? null : memorySchema.parse(record.state);
}

/** Changes what is remembered, keeping the rest. */
export async function rememberRun(
  store: CheckpointStore,
  run: string,
  phase: string,
  change: Partial<RunMemory>,
): Promise<RunMemory> {
  const memory = { ...memorySchema.parse((await recallRun(store, run)) ?? {}), ...change };
  await store.writeRun({ run, phase, state: memory });
  return memory;
}
