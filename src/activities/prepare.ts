import { countOtherLiveChangefeeds } from '../cockroach/jobs.js';
import { canProtectHistory, listProtections, releaseProtection, rollProtection } from '../cockroach/protection.js';
import {
  applySettings,
  readSettings,
  restoreSettings,
  type AppliedSetting,
  type SettingState,
} from '../cockroach/settings.js';
import { captureCursor } from '../cockroach/clock.js';
import { sayDeadLettersLeft } from '../domain/dead-letters.js';
import { formatHlc, parseHlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import type { StagingInput } from '../domain/staging.js';
import { formatTableName, type TableName } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import { CataloguedError, translated } from './failure-translation.js';
import { recallRun, rememberRun } from './run-memory.js';

export type { AppliedSetting, SettingState };

/** Activities of the phase prepare, and their undo. */
export function createPrepareActivities(access: Access) {
  return translated({
    /** Old values, read in a step of their own (protocol rule 35). */
    async readClusterSettings({
      place,
      names,
    }: {
      place: Place;
      names: readonly string[];
    }): Promise<readonly SettingState[]> {
      return names.length === 0 ? [] : withSource(access, place, (source) => readSettings(source, names));
    },

    /**
     * Creates the checkpoint schema, claims the target tables and remembers the old settings. What a run of the same id has remembered
     * before wins over what was read now (protocol rule 39).
     */
    async rememberRun({
      place,
      tables,
      settings,
    }: {
      place: Place;
      tables: readonly TableName[];
      settings: readonly SettingState[];
    }): Promise<{ settings: readonly SettingState[] }> {
      return withStore(access, place, async (store) => {
        await store.ensureSchema();
        const others = await store.claimTables(place.run, tables);
        if (others.length > 0) {
          const named = others.map((claim) => `${formatTableName(claim.table)} (run ${claim.run})`).join(', ');
          throw new CataloguedError(
            'Checkpoint.Claimed',
            `another run already writes to ${named}: finish or roll it back first`,
          );
        }
        const before = (await recallRun(store, place.run))?.before;
        const merged = settings.map((setting) => before?.find((old) => old.name === setting.name) ?? setting);
        return { settings: (await rememberRun(store, place.run, 'prepare', { before: merged })).before };
      });
    },

    /** Sets them, and remembers what CockroachDB made of them. */
    async applyClusterSettings({
      place,
      values,
    }: {
      place: Place;
      values: Readonly<Record<string, string>>;
    }): Promise<readonly AppliedSetting[]> {
      const wanted = Object.entries(values).map(([name, value]) => ({ name, value }));
      const applied = await withSource(access, place, (source) => applySettings(source, wanted));
      await withStore(access, place, (store) => rememberRun(store, place.run, 'prepare', { applied: [...applied] }));
      return applied;
    },

    /**
     * Puts back what is still ours (protocol rule 35).
     * @param applied null when it is not known whether or how far they were set: what is there now is then taken for ours
     */
    async restoreClusterSettings({
      place,
      before,
      applied,
    }: {
      place: Place;
      before: readonly SettingState[];
      applied: readonly AppliedSetting[] | null;
    }): Promise<string | null> {
      if (before.length === 0) return null;
      return withSource(access, place, async (source) => {
        const ours =
          applied ??
          (
            await readSettings(
              source,
              before.map((old) => old.name),
            )
          ).map(({ name, value }) => ({ name, ours: value }));
        const otherLiveChangefeeds = await countOtherLiveChangefeeds(source, place.run);
        const entries = before.map((old) => ({
          old,
          ours: ours.find((one) => one.name === old.name)?.ours ?? old.value,
        }));
        const outcomes = await restoreSettings(source, entries, { otherLiveChangefeeds });
        // Tried again, and in the end left to a person by name: what failed must not pass for done.
        const failed = outcomes.find(({ outcome }) => outcome === 'failed');
        if (failed) throw failed.error;
        return outcomes.map(({ name, outcome, reason }) => `${name} ${outcome}: ${reason}`).join('; ');
      });
    },

    /**
     * Protects history from `at` on (now, when null), the new protection before the old is dropped (protocol rule 4). Versions that cannot
     * protect rely on gc.ttlseconds, which preflight has checked.
     */
    async protectHistory({
      place,
      at,
      forMs,
    }: {
      place: Place;
      at: string | null;
      forMs: number;
    }): Promise<{ jobId: string | null; from: string | null }> {
      return withSource(access, place, async (source) => {
        if (!(await canProtectHistory(source))) return { jobId: null, from: null };
        const from = at === null ? await captureCursor(source) : parseHlc(at);
        return withStore(access, place, async (store) => {
          const current = (await recallRun(store, place.run))?.protection ?? null;
          const made = await rollProtection(source, current && { jobId: current.jobId, at: parseHlc(current.at) }, {
            at: from,
            forSeconds: Math.ceil(forMs / 1_000),
            description: protectionOf(place),
          });
          await rememberRun(store, place.run, 'prepare', { protection: { jobId: made.jobId, at: formatHlc(made.at) } });
          return { jobId: made.jobId, from: formatHlc(made.at) };
        });
      });
    },

    async releaseHistory({ place }: { place: Place }): Promise<string | null> {
      const remembered = await withStore(
        access,
        place,
        async (store) => (await recallRun(store, place.run))?.protection ?? null,
      );
      return withSource(access, place, async (source) => {
        // One whose answer was lost is known by its description only.
        const found = await listProtections(source, protectionOf(place));
        const jobs = [...new Set([...(remembered === null ? [] : [remembered.jobId]), ...found])];
        for (const jobId of jobs) await releaseProtection(source, jobId);
        return jobs.length === 0 ? null : `the protection of history (job ${jobs.join(', ')}) is released`;
      });
    },

    /** Makes the tables of the stage in the database that the input names. */
    async prepareStaging({ place, staging }: { place: Place; staging: StagingInput }): Promise<Record<string, never>> {
      await access.staging(staging, place.run).ensure();
      return {};
    },

    /** Removes what the run has there: the attempt has ended, and nobody stages any more. */
    async removeStaging({ place, staging }: { place: Place; staging: StagingInput }): Promise<string | null> {
      return access.staging(staging, place.run).remove(place.run);
    },

    /** Removes this run's rows; tables and schema only when nobody else has a row there (protocol rule 34). Says what was applied until then. */
    async removeRun({ place }: { place: Place }): Promise<{
      said: string;
      applied: string | null;
      /** What stays in dead_letters, and what to do with it; null: nothing. */
      deadLettersLeft?: string | null;
    }> {
      return withStore(access, place, async (store) => {
        const row = await store.read(place.run);
        const left = await store.removeRun(place.run);
        return {
          said: `our rows in schema ${access.target(place).checkpointSchema} of the target are removed`,
          applied: row === null ? null : formatHlc(row.applied),
          deadLettersLeft:
            left.count === 0 ? null : sayDeadLettersLeft(left, access.target(place).deadLetterTable, place.run),
        };
      });
    },
  });
}

/** The description by which the run's protection of history is known. */
const protectionOf = ({ run }: Place): string => `failback ${run}`;
