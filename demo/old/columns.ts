/** The columns of the demo's tables, by what it takes to read them as the same text on both sides. */
export type ColumnKind = 'plain' | 'time' | 'json' | 'array' | 'bytes';

export interface Copied {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** JSON array. */
  readonly tags: string;
  /** Hex. */
  readonly photo: string | null;
  readonly since: string;
}

/** By table, parents before children; the first columns are the key. */
export const COLUMNS: Readonly<Record<string, Readonly<Record<string, ColumnKind>>>> = {
  accounts: { id: 'plain', owner: 'plain', balance: 'plain', opened: 'time' },
  transfers: { id: 'plain', from_account: 'plain', to_account: 'plain', amount: 'plain', booked: 'time' },
  customers: { id: 'plain', name: 'plain', email: 'plain', tags: 'array', photo: 'bytes', since: 'time' },
  orders: { id: 'plain', customer_id: 'plain', reference: 'plain', total: 'plain', details: 'json', placed: 'time' },
  order_lines: {
    order_id: 'plain',
    line: 'plain',
    sku: 'plain',
    quantity: 'plain',
    price: 'plain',
    serials: 'array',
  },
  shelves: { place: 'plain', label: 'plain', sku: 'plain' },
};

/** SELECT of a table's rows as text, in the SQL that CockroachDB and PostgreSQL share. */
export function selectSql(table: string): string {
  const columns = Object.entries(COLUMNS[table] ?? {}).map(([name, kind]) => {
    if (kind === 'array') return `array_to_json(${name})::text`;
    return kind === 'bytes' ? `encode(${name}, 'hex')` : `${name}::text`;
  });
  return `SELECT ${columns.join(', ')} FROM ${table}`;
}

/** One line for a row, the same for the same values, whichever database has printed them. Pure. */
export function lineOf(table: string, row: readonly (string | null)[]): string {
  return Object.values(COLUMNS[table] ?? {})
    .map((kind, i) => {
      const text = row[i] ?? null;
      if (text === null) return '\\N';
      if (kind === 'time')
        return text
          .replace(/\+00(:00)?$/, '')
          .replace(/\.(\d*?)0*$/, (_, digits: string) => (digits === '' ? '' : `.${digits}`));
      return kind === 'json' || kind === 'array' ? canonical(text) : text;
    })
    .join('\t');
}

/** JSON text as it is whoever has written it: no blanks, and the names of objects in order. Numbers keep their digits. */
function canonical(json: string): string {
  const marked = json.replace(
    /("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)/g,
    (_, quoted?: string, number?: string) => quoted ?? `"#${number ?? ''}"`,
  );
  return JSON.stringify(JSON.parse(marked), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
