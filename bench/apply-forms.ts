import pg from 'pg';

/**
 * Which form of a set-based upsert is quickest, measured side by side on one PostgreSQL. Prints rows/s of each form and batch size.
 * Usage: node --import tsx bench/apply-forms.ts postgres://...   (a database that may be written to)
 */
const url = process.argv[2];
if (url === undefined) throw new Error('usage: node --import tsx bench/apply-forms.ts postgres://...');

const COLUMNS = 'id int8, name text, amount numeric(12,2), at timestamptz, note text, n int4, flag bool, data bytea';
const NAMES = COLUMNS.split(', ').map((column) => column.split(' ')[0] ?? '');
const SET = NAMES.slice(1)
  .map((name) => `${name} = excluded.${name}`)
  .join(', ');
const CONFLICT = `ON CONFLICT (id) DO UPDATE SET ${SET}`;
const TOTAL = 100_000;
const KEYS = 50_000;

function row(i: number): string {
  const id = (i * 7919) % KEYS;
  return (
    `{"amount": ${(i % 100_000) / 100}, "at": "2024-02-29T12:34:56.${String(i % 1_000_000).padStart(6, '0')}Z", "data": "\\\\x0001ff${'ab'.repeat(10)}",` +
    ` "flag": ${i % 2 === 0}, "id": ${id}, "n": ${i % 1000}, "name": "customer number ${i}", "note": "${'some words '.repeat(4)}"}`
  );
}

const client = new pg.Client({ connectionString: url });
await client.connect();

const AT = `CASE WHEN r.at LIKE '-%' OR r.at LIKE '0000-%' THEN '-infinity'::timestamptz WHEN r.at LIKE '294276-12-31T23:59:59.999999%' THEN 'infinity' ELSE r.at::timestamptz END`;
const FORMS: Record<string, (rows: readonly Buffer[]) => Promise<unknown>> = {
  'json_to_recordset($1 text)': (rows) =>
    client.query(
      `INSERT INTO bench_apply (${NAMES.join()}) SELECT ${NAMES.join()} FROM json_to_recordset($1::json) AS r(${COLUMNS}) ${CONFLICT}`,
      [
        `[${Buffer.concat(rows.flatMap((r) => [Buffer.from(','), r]))
          .toString()
          .slice(1)}]`,
      ],
    ),
  'json_to_recordset($1 bytes)': (rows) =>
    client.query(
      `INSERT INTO bench_apply (${NAMES.join()}) SELECT ${NAMES.join()} FROM json_to_recordset($1::json) AS r(${COLUMNS}) ${CONFLICT}`,
      [jsonArray(rows)],
    ),
  'json_to_recordset, timestamps by CASE': (rows) =>
    client.query(
      `INSERT INTO bench_apply (${NAMES.join()}) SELECT ${NAMES.map((n) => (n === 'at' ? AT : `r.${n}`)).join()}
       FROM json_to_recordset($1::json) AS r(${COLUMNS.replace('timestamptz', 'text')}) ${CONFLICT}`,
      [jsonArray(rows)],
    ),
  'one statement, delete CTE before': (rows) =>
    client.query(
      `WITH d AS (DELETE FROM bench_apply t USING (SELECT (k->>0)::int8 AS k0 FROM json_array_elements($2::json) AS k) k WHERE t.id = k.k0 RETURNING 1),
       u AS (INSERT INTO bench_apply (${NAMES.join()}) SELECT ${NAMES.join()} FROM json_to_recordset($1::json) AS r(${COLUMNS}) WHERE (SELECT count(*) FROM d) >= 0 ${CONFLICT})
       SELECT`,
      [jsonArray(rows), Buffer.from('[[-1]]')],
    ),
  'unnest($1 text[]), json_to_record each': (rows) =>
    client.query(
      `INSERT INTO bench_apply (${NAMES.join()}) SELECT ${NAMES.map((n) => `r.${n}`).join()}
       FROM unnest($1::text[]) AS doc, json_to_record(doc::json) AS r(${COLUMNS}) ${CONFLICT}`,
      [rows.map((r) => r.toString())],
    ),
  'unnest of one text[] a column (JSON.parse)': (rows) => {
    const parsed = rows.map((r) => JSON.parse(r.toString()) as Record<string, unknown>);
    return client.query(
      `INSERT INTO bench_apply (${NAMES.join()}) SELECT ${COLUMNS.split(', ')
        .map((c) => `r.${c.replace(' ', '::')}`)
        .join()} FROM unnest(${NAMES.map((_, i) => `$${i + 1}::text[]`).join()}) AS r(${NAMES.join()}) ${CONFLICT}`,
      NAMES.map((name) => parsed.map((r) => String(r[name]))),
    );
  },
};

function jsonArray(rows: readonly Buffer[]): Buffer {
  const joined = Buffer.allocUnsafe(rows.reduce((sum, r) => sum + r.length + 1, 1));
  let at = 0;
  for (const r of rows) {
    joined[at] = at === 0 ? 0x5b : 0x2c;
    r.copy(joined, at + 1);
    at += r.length + 1;
  }
  joined[at] = 0x5d;
  return joined;
}

try {
  for (const batch of [100, 1000, 5000, 20_000]) {
    for (const [name, form] of Object.entries(FORMS)) {
      await client.query('DROP TABLE IF EXISTS bench_apply');
      await client.query(`CREATE TABLE bench_apply (${COLUMNS}, PRIMARY KEY (id))`);
      const total = batch === 100 ? TOTAL / 5 : TOTAL;
      const documents = Array.from({ length: total }, (_, i) => Buffer.from(row(i)));
      const started = performance.now();
      for (let i = 0; i < total; i += batch) await form(documents.slice(i, i + batch));
      const seconds = (performance.now() - started) / 1000;
      console.log(
        `${String(batch).padStart(6)} ${name.padEnd(44)} ${Math.round(total / seconds).toLocaleString('en')} rows/s`,
      );
    }
  }
} finally {
  await client.query('DROP TABLE IF EXISTS bench_apply');
  await client.end();
}
