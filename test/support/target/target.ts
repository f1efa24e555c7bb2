import type { CheckpointTable } from '../../../src/targets/portable/checkpoint-ddl.js';

export type Row = Readonly<Record<string, string | null>>;

export interface Answer<R = Row> {
  readonly rows: R[];
  /** Of rows read, or changed. */
  readonly rowCount: number;
}

/** The target as a test sees it, connected straight, beside the gate: the same words for every dialect. */
export interface Target {
  /** One statement or several; `$1` stands for the first value. Every value comes as text, as the server prints it. */
  query<R = Row>(sql: string, values?: readonly unknown[]): Promise<Answer<R>>;
  /** Types whose names the dialects do not share; `int8` and `numeric(12,2)` they do. A counted one is that of an id which the server counts. */
  readonly types: Readonly<Record<'text' | 'json' | 'counted', string>>;
  /** The checkpoint table of that name, for a statement, and as messages name it. */
  ours(table: CheckpointTable): string;
  /** Columns of those tables whose names the dialects do not share. */
  readonly columns: Readonly<Record<'key' | 'state' | 'tables', string>>;
  /** Where tables are unless a run says otherwise. */
  readonly schema: string;
  /** The end of the message, with its code, for a decimal that is too large for its `numeric(5,2)`. */
  readonly tooLarge: RegExp;
  changeType(table: string, column: string, type: string): Promise<void>;
  /** Lets nobody write to the table until the answer is called. */
  hold(table: string): Promise<() => Promise<void>>;
  /** Notes the id of each row that is written to the table, even with the same values, in a table `seen`. */
  watch(table: string): Promise<void>;
  /** What the receiver's path says of a target whose tables are where they are by default. */
  readonly sinkPath: string;
  /** Statements that make the demo's tables of that name. */
  readonly demo: Readonly<Record<'sentinel' | 'shop', readonly string[]>>;
  /** Everything of the target but its rows: what a run that was undone must have left as it was. */
  catalogue(): Promise<string[]>;
  /** The password with which the worker connects from now on. */
  setPassword(password: string): Promise<void>;
  end(): Promise<void>;
}

/** A kind of target, of which a stack can have one. */
export interface TestDialect {
  /** As the stack calls it. */
  readonly name: 'postgres' | 'mysql';
  connect(url: string): Promise<Target>;
}
