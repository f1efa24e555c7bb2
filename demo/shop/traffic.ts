import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { FIRST_REFERENCE, NEW_CUSTOMER } from './schema.js';

type Step = (client: pg.Client) => Promise<void>;

const LINES = 25;

/** A customer, an order and its lines, in one transaction: parents before children. */
const order: Step = async (client) => {
  const { rows } = await client.query<{ id: string }>(NEW_CUSTOMER, [`${randomUUID()}@shop.example`]);
  const id = randomUUID();
  await client.query(INSERT_ORDER, [id, rows[0]?.id]);
  await client.query(INSERT_LINES, [id]);
};

/** $1 = order, $2 = customer */
const INSERT_ORDER = `INSERT INTO orders (id, customer_id, reference, total, details, placed)
  VALUES ($1, $2, ${FIRST_REFERENCE} + floor(random() * 1e15)::INT, round((random() * 1e6)::DECIMAL, 9), '{"n": 1.50, "list": [1, null, "x"]}', now())`;
/** $1 = order */
const INSERT_LINES = `INSERT INTO order_lines (order_id, line, sku, quantity, price, serials)
  SELECT $1, line, 'sku-' || line, line, 1.5000, ARRAY[9007199254740995, line] FROM generate_series(1, ${LINES}) AS line`;

const amend: Step = async (client) => {
  await client.query(`UPDATE orders SET total = total * 1.000000001, details = jsonb_build_object('amended', now()), reference = reference + 2
    WHERE id IN (SELECT id FROM orders ORDER BY random() LIMIT 5)`);
  await client.query(`UPDATE order_lines SET quantity = quantity + 1, serials = NULL
    WHERE order_id = (SELECT id FROM orders ORDER BY random() LIMIT 1)`);
};

/** The children go with the parent. */
const forget: Step = async (client) => {
  await client.query(`DELETE FROM customers WHERE id = (SELECT id FROM customers WHERE id > 40 ORDER BY id LIMIT 1)`);
};

/** A row gets another primary key, written with fewer digits than it is stored with. */
const moveShelf: Step = async (client) => {
  await client.query(`UPDATE shelves SET place = (SELECT max(place) + 0.5 FROM shelves)
    WHERE place = (SELECT place FROM shelves ORDER BY random() LIMIT 1)`);
};

/** The same key is deleted and comes again, first in one transaction, then in two. */
const replaceShelf: Step = async (client) => {
  const { rows } = await client.query<{ place: string; label: string }>(
    'DELETE FROM shelves WHERE place = (SELECT place FROM shelves ORDER BY random() LIMIT 1) RETURNING place, label',
  );
  const shelf = rows[0];
  if (shelf) await client.query(INSERT_SHELF, [shelf.place, shelf.label]);
};

/** $1 = place, $2 = label */
const INSERT_SHELF = 'INSERT INTO shelves (place, label, sku) VALUES ($1, $2, gen_random_uuid())';

/** Two rows exchange a unique value: a target that applied them one by one in any order would object. */
const swapAddresses: Step = async (client) => {
  const { rows } = await client.query<{ id: string; email: string }>(
    'SELECT id, email FROM customers WHERE id <= 40 ORDER BY random() LIMIT 2',
  );
  const [one, other] = rows;
  if (!one || !other) return;
  await client.query(SET_ADDRESS, [one.id, 'in between']);
  await client.query(SET_ADDRESS, [other.id, one.email]);
  await client.query(SET_ADDRESS, [one.id, other.email]);
};

/** $1 = customer, $2 = address */
const SET_ADDRESS = 'UPDATE customers SET email = $2 WHERE id = $1';

const STEPS: readonly { readonly step: Step; readonly atOnce: boolean }[] = [
  { step: order, atOnce: true },
  { step: amend, atOnce: true },
  { step: moveShelf, atOnce: true },
  { step: replaceShelf, atOnce: true },
  { step: swapAddresses, atOnce: true },
  { step: order, atOnce: true },
  { step: replaceShelf, atOnce: false },
  { step: forget, atOnce: true },
];

/** The shop's n-th transaction; everything comes again every few turns. */
export async function trade(client: pg.Client, turn: number): Promise<void> {
  const next = STEPS[turn % STEPS.length];
  if (!next) return;
  if (!next.atOnce) return next.step(client);
  await client.query('BEGIN');
  try {
    await next.step(client);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
