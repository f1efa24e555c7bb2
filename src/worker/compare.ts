import type { Cockroach } from '../cockroach/client.js';
import { describeTables } from '../cockroach/introspect.js';
import type { Access } from '../activities/access.js';
import { withSource } from '../activities/access.js';
import type { ComparisonDeps } from '../activities/finish.js';
import { parseHlc } from '../domain/hlc.js';
import { formatTableName } from '../domain/table.js';
import { compareTables } from '../verify/compare-tables.js';
import { createSourceReader, SOURCE_TEXT_SETTINGS, type TextClient } from '../verify/source-reader.js';
import { summarize } from '../verify/summary.js';

/** Compares every row of both sides at one timestamp. */
export function createComparison(access: Access): ComparisonDeps['compare'] {
  return async ({ place, plan, at, signal, onProgress }) =>
    withSource(access, place, async (source) => {
      const { tables } = await describeTables(
        source,
        plan.map((table) => table.source),
      );
      const target = access.target(place);
      const compared = await target.planComparison(
        plan.map((table) => {
          const found = tables.find(({ id }) => id === table.sourceId);
          if (found) return { source: found, target: table.target };
          // Left out, it would count as equal.
          throw new Error(
            `${formatTableName(table.source)} cannot be compared: the source has no table of id ${table.sourceId} by that name any more`,
          );
        }),
      );
      for (const [name, value] of Object.entries(SOURCE_TEXT_SETTINGS)) await source.query(`SET ${name} = '${value}'`);
      const snapshot = await target.openSnapshot();
      let before = 0;
      let table = '';
      let rowsOfTable = 0;
      try {
        const results = await compareTables({
          source: createSourceReader(asTextClient(source), parseHlc(at)),
          target: snapshot,
          at: parseHlc(at),
          streams: [place.run],
          tables: compared,
          signal,
          onProgress: (progress) => {
            if (progress.table !== table) before += rowsOfTable;
            table = progress.table;
            rowsOfTable = progress.rows;
            onProgress(before + rowsOfTable);
          },
        });
        return { at, ...summarize(results, compared) };
      } finally {
        await snapshot.close();
      }
    });
}

/** Columns are aliased by the reader, so that the order of a row's properties is the order of its columns. */
function asTextClient(source: Cockroach): TextClient {
  return {
    async query({ text, values }) {
      const rows = await source.query(text, values as (string | null)[]);
      return { rows: rows.map((row) => Object.values(row)) };
    },
  };
}
