/**
 * Which foreign keys act (CASCADE, SET NULL). `keys`: those onto primary keys. `all`: those onto other unique columns, too, by a value that may
 * pass to another row.
 */
export const ACTINGS = ['none', 'keys', 'all'] as const;
export type Acting = (typeof ACTINGS)[number];

/**
 * The source's constraints as far as MySQL knows their like; all of them are checked row by row at once. A unique key over an expression is one
 * over a generated column, or under a collation that folds capitals. There is no EXCLUDE.
 */
export function constrainedSchema(acting: Acting): readonly string[] {
  const byKey = (rules: string): string => (acting === 'none' ? '' : rules);
  const byValue = (rules: string): string => (acting === 'all' ? rules : '');
  return [
    `CREATE TABLE region (id int PRIMARY KEY, code ${TEXT} NOT NULL UNIQUE, name ${TEXT} UNIQUE)`,
    `CREATE TABLE account (
      id decimal(8,2) PRIMARY KEY,
      region ${TEXT},
      email ${TEXT} UNIQUE,
      a int, b int, UNIQUE (a, b),
      balance int NOT NULL CHECK (balance >= 0),
      favourite int,
      FOREIGN KEY (region) REFERENCES region (code) ${byValue('ON UPDATE CASCADE ON DELETE SET NULL')})`,
    `CREATE TABLE item (
      id int PRIMARY KEY,
      account decimal(8,2) NOT NULL,
      slot int, UNIQUE (account, slot),
      first boolean NOT NULL,
      first_of decimal(8,2) AS (IF(first, account, NULL)) VIRTUAL UNIQUE,
      FOREIGN KEY (account) REFERENCES account (id) ${byKey('ON UPDATE CASCADE ON DELETE CASCADE')})`,
    `ALTER TABLE account ADD FOREIGN KEY (favourite) REFERENCES item (id) ${byKey('ON DELETE SET NULL')}`,
    `CREATE TABLE line (
      id int PRIMARY KEY, item int NOT NULL, note varchar(20) COLLATE utf8mb4_general_nopad_ci UNIQUE,
      FOREIGN KEY (item) REFERENCES item (id) ${byKey('ON DELETE CASCADE')})`,
    `CREATE TABLE employee (
      id int PRIMARY KEY,
      code ${TEXT} NOT NULL UNIQUE,
      manager int,
      mentor ${TEXT},
      badge int UNIQUE,
      FOREIGN KEY (manager) REFERENCES employee (id) ${byKey('ON DELETE SET NULL')},
      FOREIGN KEY (mentor) REFERENCES employee (code) ${byValue('ON UPDATE CASCADE ON DELETE CASCADE')})`,
    'CREATE TABLE day (id int PRIMARY KEY, other int NOT NULL, label int UNIQUE)',
    'CREATE TABLE night (id int PRIMARY KEY, other int NOT NULL, FOREIGN KEY (other) REFERENCES day (id))',
    'ALTER TABLE day ADD FOREIGN KEY (other) REFERENCES night (id)',
    'CREATE TABLE booking (id int PRIMARY KEY, room int NOT NULL, lo int NOT NULL, hi int NOT NULL, CHECK (lo < hi))',
    `CREATE TABLE tag (
      account decimal(8,2) NOT NULL, name ${TEXT} NOT NULL, \`rank\` int UNIQUE, PRIMARY KEY (account, name),
      FOREIGN KEY (account) REFERENCES account (id) ${byKey('ON UPDATE CASCADE ON DELETE RESTRICT')})`,
  ];
}

const TEXT = 'varchar(20) COLLATE utf8mb4_nopad_bin';
