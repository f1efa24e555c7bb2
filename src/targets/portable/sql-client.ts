/** Numbers too go as text: the column they meet says what they are. */
export type SqlParameter = string | null;

export interface SqlResult {
  /** By the lower-case name of the column; every value as text, numbers too: an HLC is exact. */
  readonly rows: readonly Readonly<Record<string, string | null>>[];
  /** Rows that a statement has matched, changed or not; those of a query. */
  readonly rowCount: number;
}

/**
 * One session of a server, as the checkpoint tables' statements need it. `?` stands for a parameter, and in no text or name. READ COMMITTED
 * (protocol rule 22), durable commits (rule 23), `.` as the decimal point. Outside `begin` and the end of its transaction each statement
 * commits by itself. Errors are the driver's own. Calls may not overlap.
 */
export interface SqlClient {
  query(sql: string, parameters?: readonly SqlParameter[]): Promise<SqlResult>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Between `begin` and `commit` or `rollback`. */
  isInTransaction(): boolean;
}

/** Runs `work` in one transaction: commits what it returns from, rolls back what it throws. */
export async function inTransaction<T>(client: SqlClient, work: () => Promise<T>): Promise<T> {
  await client.begin();
  try {
    const result = await work();
    await client.commit();
    return result;
  } catch (error) {
    // Where the connection is gone, the transaction is too; the first error is the one to tell.
    await client.rollback().catch(() => undefined);
    throw error;
  }
}

/** As `inTransaction`; within one it is a part of that. */
export async function withinTransaction<T>(client: SqlClient, work: () => Promise<T>): Promise<T> {
  return client.isInTransaction() ? work() : inTransaction(client, work);
}
