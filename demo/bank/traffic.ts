import type pg from 'pg';
import { ACCOUNTS } from './schema.js';

/** Moves money between two accounts in one transaction; moves nothing when the balance is too small. */
export async function transferMoney(client: pg.Client): Promise<void> {
  const from = 1 + Math.floor(Math.random() * ACCOUNTS);
  const to = 1 + ((from + Math.floor(Math.random() * (ACCOUNTS - 1))) % ACCOUNTS);
  const amount = (0.01 + Math.random() * 50).toFixed(2);
  await client.query('BEGIN');
  try {
    // In one order for everybody: two transfers between the same accounts would wait for each other.
    await client.query(LOCK_BOTH, [from, to]);
    const { rowCount } = await client.query(WITHDRAW, [from, amount]);
    if (rowCount === 1) {
      await client.query(DEPOSIT, [to, amount]);
      await client.query(BOOK, [from, to, amount]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** $1, $2 = accounts */
const LOCK_BOTH = 'SELECT id FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE';
/** $1 = account, $2 = amount */
const WITHDRAW = 'UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2';
/** $1 = account, $2 = amount */
const DEPOSIT = 'UPDATE accounts SET balance = balance + $2 WHERE id = $1';
/** $1 = from, $2 = to, $3 = amount */
const BOOK = `INSERT INTO transfers (id, from_account, to_account, amount, booked) VALUES (gen_random_uuid(), $1, $2, $3, now())`;
