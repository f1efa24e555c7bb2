import pg from 'pg';
import type { FaultName } from './feeds/faults.js';
import type { FrontFaultName } from './front-faults.js';

/** Sets faults, from this process or another. */
export interface SimulatorControl {
  /** Lets a fault happen from now on; the tables of faults are in `front-faults.ts` and `feeds/faults.ts`. */
  fault(name: FrontFaultName | FaultName, args?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Ends one fault, or all. */
  clearFaults(name?: FrontFaultName | FaultName): Promise<void>;
  end(): Promise<void>;
}

/** @param url of the simulator's SQL front: a fault set through it stands for the very next statement of any client */
export function createControl(url: string): SimulatorControl {
  const pool = new pg.Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: true });
  pool.on('error', () => undefined);
  return {
    async fault(name, args = {}) {
      // $1 = name, $2 = arguments
      await pool.query('SELECT crdb_sim.fault($1::text, $2::jsonb)', [name, JSON.stringify(args)]);
    },
    async clearFaults(name) {
      // $1 = name or NULL
      await pool.query('SELECT crdb_sim.clear_faults($1::text)', [name ?? null]);
    },
    end: () => pool.end(),
  };
}
