import type { SqlClient } from '../portable/sql-client.js';
import type { OracleClient } from './client.js';

/**
 * The connection as the checkpoint tables' statements need it; its transactions are those of the session's rows too. In Oracle every statement
 * begins one: outside of ours it is committed at once.
 */
export function createCheckpointClient(client: OracleClient): SqlClient {
  let inTransaction = false;
  return {
    async query(sql, parameters = []) {
      const numbered = withNumbers(sql);
      if (inTransaction) return client.execute(numbered, parameters);
      try {
        const result = await client.execute(numbered, parameters);
        await client.commit();
        return result;
      } catch (error) {
        await client.rollback().catch(() => undefined);
        throw error;
      }
    },
    begin() {
      inTransaction = true;
      return Promise.resolve();
    },
    async commit() {
      inTransaction = false;
      await client.commit();
    },
    async rollback() {
      inTransaction = false;
      await client.rollback();
    },
    isInTransaction: () => inTransaction,
  };
}

/** `:1, :2` for each `?`; none of these statements has one in a text or a name. */
function withNumbers(sql: string): string {
  let place = 0;
  return sql.replace(/\?/g, () => `:${++place}`);
}
