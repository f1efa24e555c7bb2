/** Parents before children as far as there is such an order: `employee` references itself, `account` and `item` each other, as do `day` and `night`. */
export const TABLES = [
  'region',
  'account',
  'item',
  'line',
  'employee',
  'day',
  'night',
  'booking',
  'tag:account,name',
] as const;

export const NAMES = TABLES.map((text, number) => {
  const [name = '', keys = 'id'] = text.split(':');
  return { name, number, keys: keys.split(',') };
});

/** The columns that the source sends, by table. */
export const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  region: ['id', 'code', 'name'],
  account: ['id', 'region', 'email', 'a', 'b', 'balance', 'favourite'],
  item: ['id', 'account', 'slot', 'first'],
  line: ['id', 'item', 'note'],
  employee: ['id', 'code', 'manager', 'mentor', 'badge'],
  day: ['id', 'other', 'label'],
  night: ['id', 'other'],
  booking: ['id', 'room', 'lo', 'hi'],
  tag: ['account', 'name', 'rank'],
};

/** Every row of every table: `row` is the JSON array of its columns' values as the server writes them as text. */
export type State = readonly { readonly name: string; readonly row: string }[];

/** The values of a row of `State`. */
export function valuesOf(row: string): readonly (string | null)[] {
  return JSON.parse(row) as (string | null)[];
}
