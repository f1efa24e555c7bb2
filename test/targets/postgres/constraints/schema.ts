import type { StreamPlan } from '../../../../src/domain/table.js';
import { TABLES } from '../../constraints/tables.js';
import { planOf } from '../apply-fixture.js';

/**
 * When the constraints are checked that may be deferred. `late`: at the end of the transaction. `immediate`: nothing may be deferred.
 * `deferrable`: at once, but for those who ask. `mixed`: every second one of them.
 */
export const CHECKINGS = ['late', 'immediate', 'deferrable', 'mixed'] as const;
export type Checking = (typeof CHECKINGS)[number];

export const PLAN: StreamPlan = planOf(TABLES);

/** Every kind of constraint that PostgreSQL has, and every action of a foreign key. What a foreign key references cannot be deferred. */
export function constrainedSchema(checking: Checking): string {
  let number = 0;
  const when = (): string => {
    if (checking === 'late') return 'DEFERRABLE INITIALLY DEFERRED';
    number++;
    return checking === 'deferrable' || (checking === 'mixed' && number % 2 === 0) ? 'DEFERRABLE' : '';
  };
  return `
    CREATE TABLE region (id int PRIMARY KEY, code text NOT NULL UNIQUE, name text UNIQUE ${when()});
    CREATE TABLE account (
      id numeric(8,2) PRIMARY KEY,
      region text REFERENCES region (code) ON UPDATE CASCADE ON DELETE SET NULL ${when()},
      email text UNIQUE ${when()},
      a int, b int, UNIQUE (a, b) ${when()},
      balance int NOT NULL CHECK (balance >= 0),
      favourite int);
    CREATE TABLE item (
      id int PRIMARY KEY,
      account numeric NOT NULL REFERENCES account ON UPDATE CASCADE ON DELETE CASCADE ${when()},
      slot int, UNIQUE (account, slot) ${when()},
      first boolean NOT NULL);
    CREATE UNIQUE INDEX one_first ON item (account) WHERE first;
    ALTER TABLE account ADD FOREIGN KEY (favourite) REFERENCES item ON DELETE SET NULL ${when()};
    CREATE TABLE line (id int PRIMARY KEY, item int NOT NULL REFERENCES item ON DELETE CASCADE ${when()}, note text);
    CREATE UNIQUE INDEX one_note ON line (lower(note));
    CREATE TABLE employee (
      id int PRIMARY KEY,
      code text NOT NULL UNIQUE,
      manager int REFERENCES employee ON DELETE SET NULL ${when()},
      mentor text REFERENCES employee (code) ON UPDATE CASCADE ON DELETE CASCADE ${when()},
      badge int UNIQUE ${when()});
    CREATE TABLE day (id int PRIMARY KEY, other int NOT NULL, label int UNIQUE ${when()});
    CREATE TABLE night (id int PRIMARY KEY, other int NOT NULL REFERENCES day ${when()});
    ALTER TABLE day ADD FOREIGN KEY (other) REFERENCES night ${when()};
    CREATE TABLE booking (
      id int PRIMARY KEY, room int NOT NULL, lo int NOT NULL, hi int NOT NULL, CHECK (lo < hi),
      EXCLUDE USING gist (int4range(room, room, '[]') WITH &&, int4range(lo, hi) WITH &&) ${when()});
    CREATE TABLE tag (
      account numeric REFERENCES account ON UPDATE CASCADE ON DELETE RESTRICT ${when()},
      name text,
      rank int UNIQUE ${when()},
      PRIMARY KEY (account, name));`;
}

/** Would double rows and change others, if they fired for what is applied. */
export const TRIGGERS = `
  CREATE FUNCTION add_line() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO line VALUES (1000 + NEW.id, NEW.id, NULL) ON CONFLICT DO NOTHING; RETURN NULL; END';
  CREATE TRIGGER add_line AFTER INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION add_line();
  CREATE FUNCTION raise_balance() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END';
  CREATE TRIGGER raise_balance BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION raise_balance();`;
