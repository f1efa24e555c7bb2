/** The bank: accounts whose balances move, and the transfers that move them. The total never changes. */
export const BANK_TABLES = ['public.accounts', 'public.transfers'] as const;

export const ACCOUNTS = 100;
/** What all balances are together at any moment, as both databases print it. */
export const BANK_TOTAL = '100000.00';

export const BANK_ON_TARGET = `
  CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    owner text NOT NULL,
    balance numeric(18, 2) NOT NULL CHECK (balance >= 0),
    opened timestamptz NOT NULL
  );
  CREATE TABLE transfers (
    id uuid PRIMARY KEY,
    from_account bigint NOT NULL REFERENCES accounts (id),
    to_account bigint NOT NULL REFERENCES accounts (id),
    amount numeric(18, 2) NOT NULL CHECK (amount > 0),
    booked timestamptz NOT NULL
  )`;

export const BANK_ON_MYSQL = [
  `CREATE TABLE accounts (
    id BIGINT PRIMARY KEY,
    owner LONGTEXT NOT NULL,
    balance DECIMAL(18, 2) NOT NULL CHECK (balance >= 0),
    opened DATETIME(6) NOT NULL
  ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  `CREATE TABLE transfers (
    id CHAR(36) PRIMARY KEY,
    from_account BIGINT NOT NULL,
    to_account BIGINT NOT NULL,
    amount DECIMAL(18, 2) NOT NULL CHECK (amount > 0),
    booked DATETIME(6) NOT NULL,
    FOREIGN KEY (from_account) REFERENCES accounts (id),
    FOREIGN KEY (to_account) REFERENCES accounts (id)
  ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
] as const;

export const bankOnSource = (): string => `
  CREATE TABLE accounts (
    id INT PRIMARY KEY,
    owner STRING NOT NULL,
    balance DECIMAL(18, 2) NOT NULL CHECK (balance >= 0),
    opened TIMESTAMPTZ NOT NULL
  );
  CREATE TABLE transfers (
    id UUID PRIMARY KEY,
    from_account INT NOT NULL REFERENCES accounts (id),
    to_account INT NOT NULL REFERENCES accounts (id),
    amount DECIMAL(18, 2) NOT NULL CHECK (amount > 0),
    booked TIMESTAMPTZ NOT NULL
  )`;

/** The same on both sides: what the migration has brought. */
export const BANK_ROWS = `
  INSERT INTO accounts (id, owner, balance, opened)
    SELECT n, 'owner ' || n, 1000.00, '2020-02-29 12:00:00.123456+00' FROM generate_series(1, ${ACCOUNTS}) AS n;
  INSERT INTO transfers (id, from_account, to_account, amount, booked)
    SELECT md5('transfer ' || n)::uuid, n, n + 1, 0.01 * n, '2024-12-31 23:59:59.999999+00' FROM generate_series(1, ${ACCOUNTS} - 1) AS n`;
