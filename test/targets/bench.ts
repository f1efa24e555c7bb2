import type { TestContext } from 'node:test';
import type { SessionOptions } from '../../src/targets/session/session.js';
import type { ApplySession } from '../../src/targets/target.js';
import type { Pattern } from '../support/byte-proxy.js';

/** A server of one dialect, for suites that hold over all of them. */
export interface TargetBench {
  readonly port: number;
  readonly words: DialectWords;
  /** `ddl` holds statements of SQL that every dialect takes; `tables` as for `planOf`. Closed after `t`. */
  scene(t: Pick<TestContext, 'after'>, ddl: readonly string[], tables: readonly string[]): Promise<Scene>;
  /** As a crash: `restart` recovers. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** What the dialects have each in its own way. */
export interface DialectWords {
  /** The beginning of a transaction on its way to the server. */
  readonly begin: Pattern;
  /** The COMMIT on its way to the server, and the answer to it. */
  readonly commit: Pattern;
  readonly committed: Pattern;
  /** Of a row that somebody else holds. */
  readonly lockTimeout: string;
  readonly outOfRange: string;
  readonly noParent: string;
  /** Columns of `{dead_letters}`. */
  readonly letterKey: string;
  readonly letterCode: string;
  /** Notes each write of `t (id, v)` in `trace (id, v)`. */
  readonly traced: readonly string[];
  /** SQL of how many transactions have written the rows of `t`; null: it does not tell. */
  readonly writers: string | null;
  /** Makes the column an integer of four bytes. */
  toInteger(table: string, column: string): string;
}

export interface OpenOptions extends SessionOptions {
  readonly connectionString: string;
  readonly connectTimeoutMs?: number;
}

export type SceneOptions = Partial<OpenOptions>;

/** A database of its own with the stream's checkpoint row, at `at(0)`, under the token `token`. `{checkpoint}` in SQL stands for that table. */
export interface Scene {
  readonly stream: string;
  readonly token: string;
  run(...statements: readonly string[]): Promise<void>;
  /** Rows of a query, every value as text. */
  rows(sql: string): Promise<(string | null)[][]>;
  /** By a connection of its own, closed after the test. */
  reader(): Promise<(sql: string) => Promise<(string | null)[][]>>;
  /** As `formatHlc` writes it. */
  applied(): Promise<string>;
  options(over?: SceneOptions): OpenOptions;
  /** The caller closes it. */
  openSession(over?: SceneOptions): Promise<ApplySession>;
  /** Closed after the test. */
  open(over?: SceneOptions): Promise<ApplySession>;
  /** By way of a proxy before the server. */
  through(port: number): SceneOptions;
}

export type StartBench = () => Promise<TargetBench>;
