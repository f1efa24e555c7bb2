import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import { onlyValue } from './rows.js';
import { quoteLiteral } from './quoting.js';

/** A cluster setting as it was before us. Plain data: it is kept beside the checkpoint (protocol rule 39). */
export interface SettingState {
  readonly name: string;
  /** CockroachDB's own text, e.g. `00:00:03`. */
  readonly value: string;
  /** Nobody had set it; null where the version cannot tell. */
  readonly isDefault: boolean | null;
}

export interface WantedSetting {
  readonly name: string;
  readonly value: string;
}

/** A setting that we changed. */
export interface AppliedSetting {
  readonly name: string;
  /** The value as CockroachDB gives it back, which may be another spelling of what was set. */
  readonly ours: string;
}

export interface RestoredSetting {
  readonly name: string;
  readonly outcome: 'restored' | 'left' | 'failed';
  /** Why it was left; what it is now. */
  readonly reason: string;
  /** Why it is not restored yet: what came of the statement. */
  readonly error?: unknown;
}

/** Without it every changefeed of the cluster stops. */
const NEEDED_BY_EVERY_CHANGEFEED: ReadonlySet<string> = new Set(['kv.rangefeed.enabled']);

/**
 * Reads settings before they are changed. What it returns is recorded in a step of its own, before `applySettings` (protocol rule 35).
 * @throws CockroachError
 */
export async function readSettings(cockroach: Cockroach, names: readonly string[]): Promise<readonly SettingState[]> {
  const states: SettingState[] = [];
  for (const name of names)
    states.push({ name, value: await readSetting(cockroach, name), isDefault: await readIsDefault(cockroach, name) });
  return states;
}

/**
 * Sets each setting that has not the value already; idempotent. Returns what CockroachDB made of it.
 * @throws CockroachError
 */
export async function applySettings(
  cockroach: Cockroach,
  wanted: readonly WantedSetting[],
): Promise<readonly AppliedSetting[]> {
  const applied: AppliedSetting[] = [];
  for (const { name, value } of wanted) {
    if ((await readSetting(cockroach, name)) !== value)
      await cockroach.query(`SET CLUSTER SETTING ${settingName(name)} = ${settingValue(value)}`);
    applied.push({ name, ours: await readSetting(cockroach, name) });
  }
  return applied;
}

/**
 * Puts settings back, in reverse. One is restored only if it is still what we set and no other live changefeed needs it (protocol rule 35); each is
 * tried even when one before it failed.
 * @returns what was restored, what was left with its reason, and what failed with its error
 */
export async function restoreSettings(
  cockroach: Cockroach,
  entries: readonly { readonly old: SettingState; readonly ours: string }[],
  { otherLiveChangefeeds }: { readonly otherLiveChangefeeds: number },
): Promise<readonly RestoredSetting[]> {
  const outcomes: RestoredSetting[] = [];
  for (const entry of [...entries].reverse()) {
    const { name } = entry.old;
    try {
      outcomes.push(await restoreSetting(cockroach, entry, otherLiveChangefeeds));
    } catch (error) {
      outcomes.push({
        name,
        outcome: 'failed',
        reason: error instanceof Error ? error.message : String(error),
        error,
      });
    }
  }
  return outcomes;
}

async function restoreSetting(
  cockroach: Cockroach,
  { old, ours }: { readonly old: SettingState; readonly ours: string },
  otherLiveChangefeeds: number,
): Promise<RestoredSetting> {
  const { name } = old;
  const now = await readSetting(cockroach, name);
  if (now === old.value) return { name, outcome: 'restored', reason: `it is ${now}` };
  if (now !== ours) return { name, outcome: 'left', reason: `somebody has set it to ${now} since (ours was ${ours})` };
  if (NEEDED_BY_EVERY_CHANGEFEED.has(name) && otherLiveChangefeeds > 0)
    return { name, outcome: 'left', reason: `${otherLiveChangefeeds} other live changefeed(s) need it` };
  await cockroach.query(
    old.isDefault === true
      ? `RESET CLUSTER SETTING ${settingName(name)}`
      : `SET CLUSTER SETTING ${settingName(name)} = ${settingValue(old.value)}`,
  );
  return { name, outcome: 'restored', reason: `it is ${await readSetting(cockroach, name)} again` };
}

/** Reads one setting. @throws CockroachError */
export async function readSetting(cockroach: Cockroach, name: string): Promise<string> {
  const rows = await cockroach.query(`SHOW CLUSTER SETTING ${settingName(name)}`);
  // The one column bears the setting's name.
  return onlyValue(rows, Object.keys(rows[0] ?? {})[0] ?? name);
}

/**
 * $1 = name of the setting. Columns differ between versions: `origin` (from 23.2) or `default_value` tell; without both nobody can.
 */
const SETTING_ORIGIN = 'SELECT * FROM crdb_internal.cluster_settings WHERE variable = $1';

async function readIsDefault(cockroach: Cockroach, name: string): Promise<boolean | null> {
  const [row] = await cockroach.query(SETTING_ORIGIN, [name]).catch((cause: unknown) => {
    // A version that keeps its internals closed cannot tell; the old value is then set instead of reset.
    if (cause instanceof CockroachError && !cause.retryable) return [];
    throw cause;
  });
  if (typeof row?.['origin'] === 'string') return row['origin'] === 'default';
  if (typeof row?.['default_value'] === 'string') return row['default_value'] === row['value'];
  return null;
}

/** Setting names cannot be quoted, so what is not one is refused. */
function settingName(name: string): string {
  if (!/^[a-z][a-z0-9_.]*$/.test(name)) throw new Error(`"${name}" is not the name of a cluster setting`);
  return name;
}

function settingValue(value: string): string {
  return /^(true|false|\d+)$/.test(value) ? value : quoteLiteral(value);
}
