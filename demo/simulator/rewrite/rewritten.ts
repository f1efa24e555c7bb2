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

/** A statement that raises an error in the client's transaction. */
export function raising(sqlstate: string, message: string): Rewritten {
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return { sql: `SELECT crdb_sim.fail(${literal(sqlstate)}, ${literal(message)})` };
}
