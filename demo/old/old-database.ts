import type { Copied } from './columns.js';

/** What the old application, the forward replicator and a reader do on the database that was migrated away from. */
export interface OldClient {
  /** An insert of an application that leaves the id to the database. */
  addCustomer(email: string): Promise<void>;
  /** In one statement, which sees one state. */
  readBank(): Promise<{ readonly total: string; readonly transfers: string }>;
  /** Customers after that id, as text that CockroachDB reads; the photo in hex, tags as a JSON array. */
  customersAfter(id: string): Promise<readonly Copied[]>;
  sentinels(): Promise<readonly { readonly id: string; readonly at: string }[]>;
  /** The table's rows, each value as text, by the expressions of `columns.ts`. */
  rows(table: string): Promise<readonly (readonly (string | null)[])[]>;
  end(): Promise<void>;
}

/** A dialect of old databases, as the demo knows it. */
export interface OldDialect {
  /** In sentences. */
  readonly name: string;
  /** Tables of the source as this dialect can take them: bank, shop and sentinel. */
  readonly sourceTables: readonly string[];
  /** Makes the tables with the rows of the source, in a database that is there. */
  migrate(oldUrl: string, sourceUrl: string): Promise<void>;
  connect(url: string): Promise<OldClient>;
  /** True when the database itself says no; false when the connection to it is lost. */
  isRefusal(error: unknown): boolean;
}
