// Stands in for the forward replicator: copies new customers of the old database and every change of the sentinel's table to CockroachDB, and
// tells of it as replicators do. While a side is away it goes on asking, and its figures stay what they were.
// `node --import tsx demo/forward.ts OLD_URL COCKROACH_URL PORT`; SIGTERM ends it with exit code 0.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { dialectOf } from './old/dialects.js';
import type { OldClient } from './old/old-database.js';
import { connect } from './pg-session.js';
import { SENTINEL_TABLE } from './sentinel.js';

const POLL_MS = 100;

const [from = '', to = '', port = '0'] = process.argv.slice(2);
const stop = new AbortController();
interface Sides {
  readonly old: OldClient;
  readonly cockroach: pg.Client;
}
let sides: Sides | null = null;

/** Rows carried, by table. */
const upserts = { customers: 0, sentinel: 0 };
const deletes = { customers: 0, sentinel: 0 };
let behindSince: number | null = null;

const server = createServer((request, response) => {
  const known = request.url === '/_/varz';
  response.writeHead(known ? 200 : 404, { 'Content-Type': 'text/plain; version=0.0.4' });
  response.end(known ? varz() : 'not found: /_/varz is\n');
});

// Ctrl-C reaches everything in the terminal; the demo ends this process itself.
process.on('SIGINT', () => undefined);
process.once('SIGTERM', () => stop.abort());

async function openBoth(): Promise<Sides> {
  const old = await dialectOf(from).connect(from);
  try {
    return { old, cockroach: await connect(to) };
  } catch (error) {
    await old.end();
    throw error;
  }
}

async function close(): Promise<void> {
  const closing = sides;
  sides = null;
  await Promise.allSettled([closing?.old.end(), closing?.cockroach.end()]);
}

async function carryNew(): Promise<void> {
  const { old, cockroach } = (sides ??= await openBoth());
  const { rows: known } = await cockroach.query<{ last: string }>('SELECT max(id)::STRING AS last FROM customers');
  const rows = await old.customersAfter(known[0]?.last ?? '0');
  behindSince = rows.length > 0 ? (behindSince ?? Date.now()) : null;
  for (const { id, name, email, tags, photo, since } of rows) {
    await cockroach.query(COPY_CUSTOMER, [id, name, email, JSON.parse(tags), photo, since]);
    upserts.customers += 1;
  }
  await carrySentinel({ old, cockroach });
}

/** A table of a row or two: what differs is seen by reading both sides. */
async function carrySentinel({ old, cockroach }: Sides): Promise<void> {
  const wanted = await old.sentinels();
  const { rows: there } = await cockroach.query<{ id: string }>(`SELECT id FROM ${SENTINEL_TABLE}`);
  for (const { id, at } of wanted.filter((row) => !there.some((one) => one.id === row.id))) {
    await cockroach.query(`INSERT INTO ${SENTINEL_TABLE} (id, written_at) VALUES ($1, $2)`, [id, at]);
    upserts.sentinel += 1;
  }
  for (const { id } of there.filter((row) => !wanted.some((one) => one.id === row.id))) {
    await cockroach.query(`DELETE FROM ${SENTINEL_TABLE} WHERE id = $1`, [id]);
    deletes.sentinel += 1;
  }
}

/** $1 = id, $2 = name, $3 = e-mail address, $4 = tags, $5 = photo in hex or NULL, $6 = since */
const COPY_CUSTOMER = `INSERT INTO customers (id, name, email, tags, photo, since) VALUES ($1, $2, $3, $4, decode($5::STRING, 'hex'), $6)`;

function varz(): string {
  const lag = behindSince === null ? 0 : (Date.now() - behindSince) / 1_000;
  const counter = (name: string, counts: Readonly<Record<string, number>>): string[] => [
    `# TYPE ${name} counter`,
    ...Object.entries(counts).map(([table, count]) => `${name}{schema="defaultdb.public",table="${table}"} ${count}`),
  ];
  return [
    ...counter('apply_upserts_total', upserts),
    ...counter('apply_deletes_total', deletes),
    '# TYPE source_lag_seconds gauge',
    `source_lag_seconds{schema="defaultdb.public"} ${lag.toFixed(3)}`,
    '',
  ].join('\n');
}

sides = await openBoth();
server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`listens on ${port}\n`));
while (!stop.signal.aborted) {
  try {
    await carryNew();
  } catch (error) {
    // What a database says no to is a fault of this program; a connection that is lost comes back.
    if (error instanceof pg.DatabaseError || dialectOf(from).isRefusal(error)) throw error;
    await close();
  }
  await delay(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
}
await close();
server.close();
server.closeAllConnections();
