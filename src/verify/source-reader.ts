import type { Hlc } from '../domain/hlc.js';
import type { ComparedTable, TextRow } from '../targets/snapshot.js';
import { countKeysSql, pageSql } from './source-query.js';

/** The source's rows as of one timestamp. Calls may not overlap. */
export interface SourceReader {
  /** Pages in key order until there is no more row. */
  pages(table: ComparedTable): AsyncIterable<readonly TextRow[]>;
  /** How many of these keys have a row. */
  countKeys(table: ComparedTable, keys: readonly TextRow[]): Promise<number>;
}

/** The part of a `pg` client that is needed: rows as arrays of the texts that the server has sent. */
export interface TextClient {
  query(config: {
    text: string;
    values: unknown[];
    rowMode: 'array';
    types: { getTypeParser: () => (text: string) => string };
  }): Promise<{ rows: unknown[][] }>;
}

/**
 * Session settings of the source's connection without which its texts are not exact, or are not read by the target as they are
 * meant: give them to the connection that the reader uses.
 */
export const SOURCE_TEXT_SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '3',
};

const asText = { getTypeParser: () => (text: string) => text };

/** Reads CockroachDB's tables AS OF SYSTEM TIME `at`, by key, `pageRows` rows at a time. */
export function createSourceReader(client: TextClient, at: Hlc, pageRows = 2_000): SourceReader {
  const query = async (text: string, values: readonly unknown[]): Promise<readonly TextRow[]> => {
    const { rows } = await client.query({ text, values: [...values], rowMode: 'array', types: asText });
    return rows as (string | null)[][];
  };
  return {
    async *pages(table) {
      let after: TextRow = [];
      for (;;) {
        const page = await query(pageSql(table, at, pageRows, after.length > 0), after);
        if (page.length > 0) yield page;
        const last = page.at(-1);
        if (last === undefined || page.length < pageRows) return;
        after = last.slice(0, table.keyCount);
      }
    },
    async countKeys(table, keys) {
      const [row] = await query(countKeysSql(table, at, keys.length), keys.flat());
      return Number(row?.[0] ?? 0);
    },
  };
}
