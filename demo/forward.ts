// Stands in for the forward replicator: copies new customers of the old database to CockroachDB, and tells of it as replicators do.
// `node --import tsx demo/forward.ts OLD_URL COCKROACH_URL PORT`; SIGTERM ends it with exit code 0.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const POLL_MS = 100;

const [from = '', to = '', port = '0'] = process.argv.slice(2);
const stop = new AbortController();
const old = new pg.Client({ connectionString: from });
const cockroach = new pg.Client({ connectionString: to });
for (const client of [old, cockroach]) client.on('error', () => undefined);
await old.connect();
await cockroach.connect();

let copied = 0;
let behindSince: number | null = null;

const server = createServer((request, response) => {
  const known = request.url === '/_/varz';
  response.writeHead(known ? 200 : 404, { 'Content-Type': 'text/plain; version=0.0.4' });
  response.end(known ? varz() : 'not found: /_/varz is\n');
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`listens on ${port}\n`));

// Ctrl-C reaches everything in the terminal; the demo ends this process itself.
process.on('SIGINT', () => undefined);
process.once('SIGTERM', () => stop.abort());

async function copyNew(): Promise<void> {
  const { rows: known } = await cockroach.query<{ last: string }>('SELECT max(id)::STRING AS last FROM customers');
  const { rows } = await old.query<Record<string, string>>(NEW_CUSTOMERS, [known[0]?.last ?? '0']);
  behindSince = rows.length > 0 ? (behindSince ?? Date.now()) : null;
  for (const { id, name, email, tags, photo, since } of rows) {
    await cockroach.query(COPY_CUSTOMER, [id, name, email, tags, photo, since]);
    copied += 1;
  }
}

/** As text, which both sides read alike. $1 = the last id that CockroachDB has */
const NEW_CUSTOMERS = `SELECT id::text, name, email, tags::text, encode(photo, 'hex') AS photo, since::text FROM customers WHERE id > $1 ORDER BY id`;
/** $1 = id, $2 = name, $3 = e-mail address, $4 = tags, $5 = photo in hex or NULL, $6 = since */
const COPY_CUSTOMER = `INSERT INTO customers (id, name, email, tags, photo, since) VALUES ($1, $2, $3, $4, decode($5::STRING, 'hex'), $6)`;

function varz(): string {
  const lag = behindSince === null ? 0 : (Date.now() - behindSince) / 1_000;
  return [
    '# TYPE apply_upserts_total counter',
    `apply_upserts_total{schema="defaultdb.public",table="customers"} ${copied}`,
    '# TYPE apply_deletes_total counter',
    'apply_deletes_total{schema="defaultdb.public",table="customers"} 0',
    '# TYPE source_lag_seconds gauge',
    `source_lag_seconds{schema="defaultdb.public"} ${lag.toFixed(3)}`,
    '',
  ].join('\n');
}

while (!stop.signal.aborted) {
  await copyNew();
  await delay(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
}
await Promise.all([old.end(), cockroach.end()]);
server.close();
server.closeAllConnections();
