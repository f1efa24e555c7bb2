import { CHECKPOINT_TABLES, serverName, type CheckpointTable } from '../portable/checkpoint-ddl.js';
import type { CheckpointDialect, SchemaDialect, SessionDialect } from '../portable/checkpoint-dialect.js';

const MADE_BY_US = 'Made by Failback. No run needs it when it has no row, and it may be dropped then.';

const schemaDialect: SchemaDialect = {
  async read(client, schema) {
    const { rows } = await client.query(TABLES, [schema, ...CHECKPOINT_TABLES.map(nameOf)]);
    return {
      // A schema is a user: whoever is connected has one.
      schemaExists: true,
      schemaIsOurs: false,
      tables: CHECKPOINT_TABLES.flatMap((table) => {
        const found = rows.find(({ name }) => name === nameOf(table));
        return found === undefined
          ? []
          : [{ table, ours: found['remark'] === MADE_BY_US, durable: found['temporary'] === 'N' }];
      }),
    };
  },
  create: null,
  createTable: (name, columns) => [`CREATE TABLE ${name} (${columns})`, `COMMENT ON TABLE ${name} IS '${MADE_BY_US}'`],
  // A table's lock ends with the commit that DROP TABLE begins with, and DBMS_LOCK is not granted to everybody.
  exclusively: null,
  holdsMore: () => Promise.resolve(true),
  drop: (schema) => `DROP USER "${schema}"`,
  makeDurable: (name) => `drop ${name}, which is a temporary one, and start again`,
};

/** schema, tables */
const TABLES = `
  SELECT t.table_name AS name, t.temporary AS temporary, c.comments AS remark
  FROM all_tables t LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name
  WHERE t.owner = ? AND t.table_name IN (${CHECKPOINT_TABLES.map(() => '?').join(', ')})`;

/** A session is known by its client identifier: session and serial numbers are used again when an instance restarts. */
const sessions: SessionDialect = {
  async nameSession(client, name) {
    await client.query('BEGIN DBMS_SESSION.SET_IDENTIFIER(?); END;', [name]);
  },
  async end(client, names) {
    let ended = false;
    for (const name of names) {
      try {
        for (const { id } of (await client.query(NAMED, [name])).rows) {
          await client.query(`ALTER SYSTEM KILL SESSION '${id}' IMMEDIATE`);
          ended = true;
        }
      } catch (error) {
        // It has ended, or is about to; or it is not ours to see, or to end.
        if (ENDING.has(numberOf(error))) ended = true;
        else if (!DENIED.has(numberOf(error))) throw error;
      }
    }
    return ended;
  },
  async lockHolders(client, schema, table) {
    try {
      const { rows } = await client.query(LOCKERS, [schema, nameOf(table)]);
      return rows.flatMap(({ id }) => id ?? []);
    } catch (error) {
      if (DENIED.has(numberOf(error))) return [];
      throw error;
    }
  },
};

const SESSION_ID = `s.sid || ',' || s.serial# || ',@' || s.inst_id AS id`;
/** client identifier */
const NAMED = `SELECT ${SESSION_ID} FROM gv$session s WHERE s.client_identifier = ? AND s.status <> 'KILLED'`;
/** schema, table */
const LOCKERS = `
  SELECT DISTINCT ${SESSION_ID} FROM gv$locked_object l
  JOIN gv$session s ON s.inst_id = l.inst_id AND s.sid = l.session_id
  JOIN all_objects o ON o.object_id = l.object_id
  WHERE o.owner = ? AND o.object_name = ? AND l.xidusn <> 0 AND s.sid <> SYS_CONTEXT('USERENV', 'SID')`;

/** No such session, marked for kill. */
const ENDING: ReadonlySet<number> = new Set([30, 31]);
/** No privilege, no such view for us. */
const DENIED: ReadonlySet<number> = new Set([1031, 942]);

/** 1 of ORA-00001; 0 of every other error. */
function numberOf(error: unknown): number {
  const number = error instanceof Error && 'errorNum' in error ? error.errorNum : 0;
  return typeof number === 'number' ? number : 0;
}

function nameOf(table: CheckpointTable): string {
  return serverName(table).toUpperCase();
}

export const oracleCheckpointDialect: CheckpointDialect = {
  tableName: (schema, table) => `"${schema}"."${nameOf(table)}"`,
  types: {
    text: (characters) => `VARCHAR2(${characters} CHAR)`,
    longText: 'CLOB',
    hlc: 'NUMBER(30,10)',
    timestamp: 'TIMESTAMP(6) WITH TIME ZONE',
  },
  // The session's decimal point is a point.
  hlcParameter: 'CAST(? AS NUMBER(30,10))',
  hlcText: (expression) => `TO_CHAR(${expression}, 'FM99999999999999999990.0000000000')`,
  // In whole seconds.
  forUpdate: (lockTimeoutMs) => `FOR UPDATE WAIT ${Math.max(1, Math.ceil(lockTimeoutMs / 1000))}`,
  updatesWaitForever: true,
  firstRows: (count) => `FETCH FIRST ${count} ROWS ONLY`,
  schema: schemaDialect,
  sessions,
  errors: {
    isMissingTable: (error) => numberOf(error) === 942,
    isDuplicate: (error) => numberOf(error) === 1,
    isAlreadyThere: (error) => numberOf(error) === 955,
    isDenied: (error) => DENIED.has(numberOf(error)),
  },
};
