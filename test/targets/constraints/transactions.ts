/** Numbers from 0 to 1. */
export type Random = () => number;

/** One transaction as an application would run it; the source may refuse it. */
export type Transaction = readonly string[];

/**
 * Random transactions over `constrainedSchema`. Few ids and few values, so that rows meet; an operation takes what rows there are by a
 * number, so that a transaction is the same text whatever the state.
 */
export function randomTransaction(random: Random): Transaction {
  const dice = dicesOf(random);
  const length = 1 + Math.floor(random() * random() * 6);
  return Array.from({ length }, () => operation(dice)).flat();
}

type Operation = (dice: Dices) => readonly string[];

interface Dices {
  readonly random: Random;
  /** An id that may or may not be there. */
  readonly id: number;
  readonly small: number;
  readonly word: string;
  /** SQL of the key of a row that is there, if the table has any. */
  row(table: string, key?: string): string;
}

function dicesOf(random: Random): Dices {
  const upTo = (n: number): number => 1 + Math.floor(random() * n);
  return {
    random,
    get id() {
      return upTo(7);
    },
    get small() {
      return upTo(9);
    },
    get word() {
      return 'abcdefghijkl'.charAt(upTo(12) - 1);
    },
    row: (table, key = 'id') => `(SELECT ${key} FROM ${table} ORDER BY md5(concat(${key}, '${upTo(9)}')) LIMIT 1)`,
  };
}

/** Two rows' values change places in one statement. */
const swap = (table: string, columns: readonly string[], one: string, other: string): string =>
  `UPDATE ${table} AS t SET ${columns.map((column) => `${column} = o.${column}`).join(', ')} FROM ${table} AS o
   WHERE (t.id, o.id) IN ((${one}, ${other}), (${other}, ${one})) AND t.id <> o.id`;

/** The same by way of a value that nobody has, as it is done where the database checks at once. */
const swapByWay = (table: string, column: string, one: number, other: number): readonly string[] =>
  one === other
    ? []
    : [
        `CREATE TEMPORARY TABLE held ON COMMIT DROP AS SELECT id, ${column} AS was FROM ${table} WHERE id IN (${one}, ${other})`,
        `UPDATE ${table} SET ${column} = 'aside' WHERE id = ${one} AND (SELECT count(*) FROM held) = 2`,
        `UPDATE ${table} SET ${column} = (SELECT was FROM held WHERE id = ${one}) WHERE id = ${other} AND (SELECT count(*) FROM held) = 2`,
        `UPDATE ${table} SET ${column} = (SELECT was FROM held WHERE id = ${other}) WHERE id = ${one} AND (SELECT count(*) FROM held) = 2`,
        'DROP TABLE held',
      ];

const upsert = (table: string, key: string, columns: Readonly<Record<string, string | number>>): string => {
  const names = Object.keys(columns);
  return `INSERT INTO ${table} (${names.join(', ')}) SELECT ${Object.values(columns).join(', ')}
    ON CONFLICT (${key}) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')}`;
};

/** A child whose parent is not there is left out. */
const where = (statement: string, table: string): string =>
  statement.replace('\n    ON CONFLICT', ` WHERE EXISTS (SELECT FROM ${table})\n    ON CONFLICT`);

const REGION: readonly Operation[] = [
  (d) => [upsert('region', 'id', { id: d.id, code: `'${d.word}'`, name: `'${d.word}'` })],
  (d) => [`UPDATE region SET code = '${d.word}' WHERE id = ${d.row('region')}`],
  (d) => swapByWay('region', 'code', d.id, d.id),
  (d) => [swap('region', ['name'], d.row('region'), d.row('region'))],
  (d) => [`DELETE FROM region WHERE id = ${d.id}`],
  // The code goes to another region in the same transaction, and the accounts stay with the code.
  (d) => {
    const [code, other] = [d.word, d.id];
    return [
      `UPDATE account SET region = NULL WHERE region = '${code}'`,
      `DELETE FROM region WHERE code = '${code}'`,
      upsert('region', 'id', { id: other, code: `'${code}'` }),
      `UPDATE account SET region = '${code}' WHERE region IS NULL`,
    ];
  },
  // As above with codes that move on: the cascade has carried the accounts along, and they are taken back.
  (d) => {
    const code = d.word;
    return [
      `UPDATE region SET code = code || '2' WHERE code = '${code}'`,
      `UPDATE region SET code = '${code}' WHERE id = ${d.id}`,
      `UPDATE account SET region = '${code}' WHERE region = '${code}2'`,
      `UPDATE region SET code = '${d.word}' WHERE code = '${code}2'`,
    ];
  },
];

const ACCOUNT: readonly Operation[] = [
  (d) => [
    upsert('account', 'id', {
      id: `${d.id}.50`,
      region: d.row('region', 'code'),
      email: `'${d.word}@x'`,
      a: d.small,
      b: d.small,
      balance: d.small,
    }),
  ],
  (d) => [
    `UPDATE account SET balance = balance + ${d.small - 5}, region = ${d.row('region', 'code')} WHERE id = ${d.row('account')}`,
  ],
  (d) => [swap('account', ['email'], d.row('account'), d.row('account'))],
  (d) => [swap('account', ['a', 'b'], d.row('account'), d.row('account'))],
  (d) => [`UPDATE account SET b = b % 9 + 1 WHERE a <= ${d.small}`],
  (d) => [`UPDATE account SET favourite = ${d.row('item')} WHERE id = ${d.row('account')}`],
  (d) => [`UPDATE account SET id = ${d.id}.5 WHERE id = ${d.row('account')}`],
  (d) => {
    const id = d.row('account');
    return [`DELETE FROM tag WHERE account = ${id}`, `DELETE FROM account WHERE id = ${id}`];
  },
  (d) => {
    const id = `${d.id}.5`;
    return [
      `DELETE FROM tag WHERE account = ${id}`,
      `DELETE FROM account WHERE id = ${id}`,
      upsert('account', 'id', { id, email: `'${d.word}@x'`, balance: 1 }),
      upsert('item', 'id', { id: d.id, account: id, slot: d.small, first: 'false' }),
    ];
  },
  (d) => {
    const id = d.id;
    return [
      upsert('account', 'id', { id: `${id}.5`, balance: 7 }),
      upsert('item', 'id', { id, account: `${id}.5`, slot: d.small, first: 'true' }),
      `UPDATE account SET favourite = ${id} WHERE id = ${id}.5`,
    ];
  },
];

const ITEM: readonly Operation[] = [
  (d) => [
    where(upsert('item', 'id', { id: d.id, account: d.row('account'), slot: d.small, first: 'false' }), 'account'),
  ],
  (d) => [
    where(upsert('item', 'id', { id: d.id, account: d.row('account'), slot: d.small, first: 'false' }), 'account'),
  ],
  (d) => [`UPDATE item SET account = ${d.row('account')} WHERE id = ${d.row('item')}`],
  (d) => [`UPDATE item SET slot = slot + ${d.small - 5} WHERE account = ${d.row('account')}`],
  (d) => [swap('item', ['slot'], d.row('item'), d.row('item'))],
  (d) => [swap('item', ['account', 'slot'], d.row('item'), d.row('item'))],
  (d) => {
    const account = d.row('account');
    return [
      `UPDATE item SET first = false WHERE account = ${account}`,
      `UPDATE item SET first = true WHERE id = (SELECT id FROM item WHERE account = ${account} ORDER BY md5(concat(id, '${d.small}')) LIMIT 1)`,
    ];
  },
  (d) => [`DELETE FROM item WHERE id = ${d.id}`],
];

const LINE: readonly Operation[] = [
  (d) => [where(upsert('line', 'id', { id: d.id, item: d.row('item'), note: `'${d.word}'` }), 'item')],
  (d) => [where(upsert('line', 'id', { id: d.id, item: d.row('item'), note: `'${d.word.toUpperCase()}'` }), 'item')],
  (d) => swapByWay('line', 'note', d.id, d.id),
  (d) => [`UPDATE line SET item = ${d.row('item')} WHERE id = ${d.row('line')}`],
  (d) => [`DELETE FROM line WHERE id = ${d.id}`],
];

const EMPLOYEE: readonly Operation[] = [
  (d) => [
    upsert('employee', 'id', {
      id: d.id,
      code: `'${d.word}'`,
      manager: d.row('employee'),
      mentor: d.row('employee', 'code'),
    }),
  ],
  (d) => [upsert('employee', 'id', { id: d.id, code: `'${d.word}'`, badge: d.small })],
  (d) => [`UPDATE employee SET code = '${d.word}' WHERE id = ${d.row('employee')}`],
  (d) => swapByWay('employee', 'code', d.id, d.id),
  () => [`UPDATE employee SET badge = badge % 9 + 1`],
  (d) => [
    `UPDATE employee SET manager = ${d.row('employee')}, mentor = ${d.row('employee', 'code')} WHERE id = ${d.row('employee')}`,
  ],
  (d) => [`DELETE FROM employee WHERE id = ${d.id}`],
  (d) => [`UPDATE employee SET id = ${d.id} WHERE id = ${d.row('employee')}`],
];

const RINGS: readonly Operation[] = [
  (d) => {
    const [day, night] = [d.id, d.id];
    return [
      upsert('day', 'id', { id: day, other: night, label: d.small }),
      upsert('night', 'id', { id: night, other: day }),
    ];
  },
  (d) => [swap('day', ['label'], d.row('day'), d.row('day'))],
  () => [`UPDATE day SET label = label % 9 + 1`],
  (d) => [`UPDATE night SET other = ${d.row('day')} WHERE id = ${d.row('night')}`],
  (d) => [`UPDATE day SET other = ${d.row('night')} WHERE id = ${d.row('day')}`],
  (d) => [`DELETE FROM day WHERE id = ${d.id}`],
  () => ['DELETE FROM day', 'DELETE FROM night'],
];

const BOOKING: readonly Operation[] = [
  (d) => {
    const lo = d.small;
    return [upsert('booking', 'id', { id: d.id, room: d.small, lo, hi: lo + 3 })];
  },
  (d) => [swap('booking', ['room', 'lo', 'hi'], d.row('booking'), d.row('booking'))],
  (d) => [`UPDATE booking SET lo = lo + ${d.small - 5}, hi = hi + ${d.small}`],
  (d) => [`UPDATE booking SET room = room % ${d.small} + 1`],
  (d) => [`DELETE FROM booking WHERE id = ${d.id}`],
];

const TAG: readonly Operation[] = [
  (d) => [
    where(upsert('tag', 'account, name', { account: d.row('account'), name: `'${d.word}'`, rank: d.small }), 'account'),
  ],
  () => [`UPDATE tag SET rank = rank % 9 + 1`],
  (d) => [`UPDATE tag SET name = '${d.word}' WHERE rank = ${d.small}`],
  (d) => [`DELETE FROM tag WHERE rank = ${d.small}`],
];

const OPERATIONS: readonly Operation[] = [REGION, ACCOUNT, ITEM, LINE, EMPLOYEE, RINGS, BOOKING, TAG].flat();

function operation(dice: Dices): readonly string[] {
  return OPERATIONS[Math.floor(dice.random() * OPERATIONS.length)]?.(dice) ?? [];
}
