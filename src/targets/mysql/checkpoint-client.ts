import type { SqlClient } from '../portable/sql-client.js';
import type { MysqlClient } from './client.js';

/** The connection as the checkpoint tables' statements need it; its transactions are those of the session's rows too. */
export function createCheckpointClient(client: MysqlClient): SqlClient {
  let inTransaction = false;
  const end = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    inTransaction = false;
    await client.query(how);
  };
  return {
    query: (sql, parameters) => client.query(sql, parameters),
    async begin() {
      await client.query('START TRANSACTION READ WRITE');
      inTransaction = true;
    },
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    isInTransaction: () => inTransaction,
  };
}
