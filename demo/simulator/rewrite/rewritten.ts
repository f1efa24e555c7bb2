import type { Parameters } from './reader.js';

/** What the front does with one statement. */
export interface Rewritten {
  /** PostgreSQL's statement. */
  readonly sql: string;
  /** CockroachDB's command tag, given PostgreSQL's. */
  readonly mendTag?: (tag: string) => string;
  /** A changefeed without a sink: streamed by the front, `sql` is not run. */
  readonly sinkless?: SinklessRequest;
  /** CREATE CHANGEFEED into a sink; faults may meet it. */
  readonly createsChangefeed?: boolean;
  /** The parameters of `sql`, given the client's; `added` of them at the end are none of the client's. */
  readonly parameters?: { readonly of: (given: Parameters) => Parameters; readonly added: number };
}

/** SQL expressions of the arguments of `crdb_sim.plan_changefeed`. */
export interface SinklessRequest {
  readonly names: string;
  readonly options: string;
}

/** The tag itself, followed by the count of PostgreSQL's tag. */
export function countedTag(name: string): (tag: string) => string {
  return (tag) => `${name} ${/(\d+)$/.exec(tag)?.[1] ?? '0'}`;
}

export function plainTag(name: string): () => string {
  return () => name;
}

/** A statement that raises an error in the client's transaction, whatever its parameters are. */
export function raising(sqlstate: string, message: string, detail = ''): Rewritten {
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return {
    sql: `SELECT crdb_sim.fail(${literal(sqlstate)}, ${literal(message)}, detail => ${literal(detail)})`,
    parameters: { of: () => [], added: 0 },
  };
}
