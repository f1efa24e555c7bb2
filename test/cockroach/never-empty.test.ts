import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsNeverEmpty } from '../../src/cockroach/introspect.js';

test('a CHECK that keeps the empty text out is read of the CREATE TABLE statement', () => {
  const statement = `CREATE TABLE public.country (
  code STRING NOT NULL,
  "Odd ""name" STRING NOT NULL,
  raw BYTES NOT NULL,
  later STRING NOT NULL,
  other STRING NULL,
  CONSTRAINT country_pkey PRIMARY KEY (code ASC),
  CONSTRAINT check_code CHECK (code != '':::STRING),
  CONSTRAINT check_odd CHECK (("Odd ""name" != '':::STRING)),
  CONSTRAINT check_raw CHECK (raw != '\\x':::BYTES),
  CONSTRAINT check_later CHECK (later != '':::STRING) NOT VALID,
  CONSTRAINT check_other CHECK ((other != '':::STRING) OR (code = 'x':::STRING))
)`;
  assert.deepEqual(columnsNeverEmpty(statement), ['code', 'Odd "name', 'raw']);
});
