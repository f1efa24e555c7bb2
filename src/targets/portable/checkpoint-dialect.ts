import type { CheckpointTable } from './checkpoint-ddl.js';
import type { SqlClient } from './sql-client.js';

/** What differs between the servers that keep the checkpoint tables in one and the same SQL. */
export interface CheckpointDialect {
  /** Quoted, with its schema. */
  tableName(schema: string, table: CheckpointTable): string;
  readonly types: CheckpointTypes;
  /** SQL of the HLC that a parameter's text spells. Never a comparison with the text itself: that may be one of doubles. */
  readonly hlcParameter: string;
  /** SQL of an HLC's text: nanoseconds, a point, digits of the logical part. */
  hlcText(expression: string): string;
  /** Ends a query that locks its rows, and waits no longer than `lockTimeoutMs`. */
  forUpdate(lockTimeoutMs: number): string;
  /** Whether an UPDATE waits for ever for a row that is locked: it is then preceded by a query that does not (protocol rule 24). */
  readonly updatesWaitForever: boolean;
  /** Ends an ordered query that gives its first rows only. */
  firstRows(count: number): string;
  readonly schema: SchemaDialect;
  readonly sessions: SessionDialect;
  readonly errors: CheckpointErrorWords;
}

/** Types of the tables' columns. */
export interface CheckpointTypes {
  /** Of at most so many characters, compared byte by byte, and indexed. */
  readonly text: (characters: number) => string;
  /** Of any length. */
  readonly longText: string;
  readonly hlc: string;
  readonly timestamp: string;
}

/** Making and dropping. DDL commits by itself, and what is open with it: none of this is in a transaction. */
export interface SchemaDialect {
  /** What is there of it. */
  read(client: SqlClient, schema: string): Promise<CheckpointSchemaState>;
  /** Null: a schema is there or it is not, nobody makes one here. */
  readonly create: ((schema: string) => string) | null;
  /** Statements that make a table with our mark; the mark says too whether the schema has been made with it. */
  createTable(name: string, columns: string, schemaIsOurs: boolean): readonly string[];
  /**
   * Runs `work` while no other work on this schema goes on, transactions and DDL within it or not. Null: no lock outlives the commit of DDL here,
   * so that a table which is empty now may not be when it is dropped: what is made stays.
   */
  readonly exclusively: (<T>(client: SqlClient, schema: string, work: () => Promise<T>) => Promise<T>) | null;
  /** Whether anything but our tables is in the schema. */
  holdsMore(client: SqlClient, schema: string): Promise<boolean>;
  /** Statement that drops the schema with our tables. */
  drop(schema: string): string;
  /** Statement that makes a table survive a crash (protocol rule 23). */
  makeDurable(name: string): string;
}

/** What is there of the checkpoint schema. */
export interface CheckpointSchemaState {
  readonly schemaExists: boolean;
  readonly schemaIsOurs: boolean;
  readonly tables: readonly { readonly table: CheckpointTable; readonly ours: boolean; readonly durable: boolean }[];
}

/** Where the checkpoint tables are, and how they are spoken to. */
export interface CheckpointAccess {
  readonly client: SqlClient;
  readonly dialect: CheckpointDialect;
  readonly schema: string;
  /** Longest wait for a lock, in milliseconds (protocol rule 24). */
  readonly lockTimeoutMs: number;
}

/** Who holds a checkpoint row, and how that session is found and ended (protocol rule 24). */
export interface SessionDialect {
  /** Gives this session a name that no other ever has, by which the server knows it as long as it lives. */
  nameSession(client: SqlClient, name: string): Promise<void>;
  /** Ends those of the named sessions that live. True when there was one. */
  end(client: SqlClient, names: readonly string[]): Promise<boolean>;
  /** The sessions that may hold locks on a table's rows now, in the server's own words for them; none where we may not see them. */
  lockHolders(client: SqlClient, schema: string, table: CheckpointTable): Promise<readonly string[]>;
}

/** Of the driver's own errors. */
export interface CheckpointErrorWords {
  /** A table, or its schema. */
  isMissingTable(error: unknown): boolean;
  /** A row of this key is there. */
  isDuplicate(error: unknown): boolean;
  /** A schema or table of this name is there. */
  isAlreadyThere(error: unknown): boolean;
  /** A privilege lacks. */
  isDenied(error: unknown): boolean;
}
