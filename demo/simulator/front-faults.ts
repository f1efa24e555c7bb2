import type pg from 'pg';

/**
 * What the SQL front can be made to do wrong, set from any client by `SELECT crdb_sim.fault('<name>', '<json>')`.
 * Those with `times` end by themselves after so many (default 1). The changefeed engine has its own list.
 *
 * | name | args | effect |
 * |---|---|---|
 * | create_drop_answer | times | a CREATE CHANGEFEED commits, then the connection is cut before its answer |
 * | create_late_commit | delayMs, cut (true), times | a CREATE CHANGEFEED commits only after delayMs; the connection is cut at once, or left for the client to give up |
 * | refuse_connections | | a new connection is cut |
 * | statement_error | pattern (a regular expression), sqlstate (XXUUU), message, times | a statement that matches fails |
 * | no_license | | CREATE CHANGEFEED into a sink fails with XXC02 |
 * | gc | threshold (an HLC) | history at or below it is gone, whatever protects it; it stays gone when the fault is cleared |
 */
export type FrontFaultName =
  'create_drop_answer' | 'create_late_commit' | 'refuse_connections' | 'statement_error' | 'no_license' | 'gc';

export type FrontFaultArgs = Readonly<Record<string, unknown>>;

interface Standing {
  readonly args: FrontFaultArgs;
  /** As it is stored, to see that it was set anew. */
  readonly text: string;
  left: number;
}

const COUNTED: readonly FrontFaultName[] = ['create_drop_answer', 'create_late_commit', 'statement_error'];

/** The faults as last read, with how often each may still happen. */
export function createFrontFaults(pool: pg.Pool) {
  const standing = new Map<string, Standing>();
  return {
    async refresh(): Promise<void> {
      const { rows } = await pool.query<{ name: string; args: FrontFaultArgs; version: string }>(
        'SELECT name, args, xmin::text AS version FROM crdb_sim.feed_fault',
      );
      for (const name of standing.keys()) if (!rows.some((row) => row.name === name)) standing.delete(name);
      for (const { name, args, version } of rows) {
        if (standing.get(name)?.text === version) continue;
        const counted = COUNTED.some((known) => known === name);
        standing.set(name, { args, text: version, left: counted ? Number(args['times'] ?? 1) : Infinity });
      }
    },
    /** The fault's arguments when it is to happen now; counts it. */
    take(name: FrontFaultName, applies: (args: FrontFaultArgs) => boolean = () => true): FrontFaultArgs | undefined {
      const fault = standing.get(name);
      if (!fault || fault.left <= 0 || !applies(fault.args)) return undefined;
      fault.left -= 1;
      return fault.args;
    },
  };
}

export type FrontFaults = ReturnType<typeof createFrontFaults>;
