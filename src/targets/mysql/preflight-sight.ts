import { createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { ForeignKeyAction } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { attempt } from './attempt.js';
import type { MysqlProduct } from './client.js';
import type { Asking } from './introspection.js';
import type { MappedTable } from './mapped-table.js';
import { quoteAccount, quoteTable } from './names.js';
import type { TargetForeignKey } from './table-shape.js';

/**
 * Foreign keys of these tables that information_schema does not show to this user, as InnoDB has them: it shows those only between tables on
 * which he has privileges. Null: he may not ask InnoDB.
 */
export async function readUnseenForeignKeys(
  client: Asking,
  tables: readonly MappedTable[],
  product: MysqlProduct,
): Promise<readonly TargetForeignKey[] | null> {
  const sql = `SELECT ID AS id, FOR_NAME AS child, REF_NAME AS parent, TYPE AS flags FROM information_schema.${product === 'MySQL' ? 'INNODB_FOREIGN' : 'INNODB_SYS_FOREIGN'}`;
  const refused = await attempt(client, sql);
  if (refused !== null) return null;
  const { rows } = await client.query(sql);
  const ours = new Set(tables.map(({ target }) => formatTableName(target.name)));
  const seen = new Set(
    tables.flatMap(({ target }) => [...target.foreignKeysOut, ...target.foreignKeysIn].map((key) => identity(key))),
  );
  return rows
    .map((row): TargetForeignKey => {
      const flags = Number(row['flags'] ?? 0);
      return {
        name: decode(row['id'] ?? '').table,
        table: decode(row['child'] ?? ''),
        references: decode(row['parent'] ?? ''),
        columns: [],
        referencedColumns: [],
        onDelete: actionOf(flags, 1, 2),
        onUpdate: actionOf(flags, 4, 8),
      };
    })
    .filter((key) => ours.has(formatTableName(key.table)) || ours.has(formatTableName(key.references)))
    .filter((key) => !seen.has(identity(key)));
}

function identity({ name, table }: TargetForeignKey): string {
  return `${formatTableName(table)} ${name}`;
}

function actionOf(flags: number, cascade: number, setNull: number): ForeignKeyAction {
  if ((flags & cascade) !== 0) return 'CASCADE';
  return (flags & setNull) !== 0 ? 'SET NULL' : 'NO ACTION';
}

/** `database/table`, each as the name of a file: `@0024` is the sign of that number. */
function decode(path: string): TableName {
  const [schema = '', table = ''] = path
    .split('/')
    .map((part) => part.replaceAll(/@([0-9a-f]{4})/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16))));
  return { schema, table };
}

/** The tables with the foreign keys that only InnoDB has told of. */
export function withForeignKeys(
  tables: readonly MappedTable[],
  keys: readonly TargetForeignKey[],
): readonly MappedTable[] {
  return tables.map(({ source, target }) => {
    const isOwn = (name: TableName): boolean => formatTableName(name) === formatTableName(target.name);
    return {
      source,
      target: {
        ...target,
        foreignKeysOut: [...target.foreignKeysOut, ...keys.filter((key) => isOwn(key.table))],
        foreignKeysIn: [...target.foreignKeysIn, ...keys.filter((key) => isOwn(key.references))],
      },
    };
  });
}

export function foreignKeysUnseen(account: string): Finding {
  return createFinding('note', 'privilege.process', {
    object: `user ${account}`,
    problem:
      'it may not see foreign keys of tables on which it has no privilege, so foreign keys stay on while rows are applied, which is slower',
    found: "InnoDB's own list of foreign keys is refused",
    remedy: onTarget(`GRANT PROCESS ON *.* TO ${quoteAccount(account)}`),
  });
}

/**
 * On MySQL, who has not the privilege TRIGGER sees no trigger, and each would double what the changefeed carries. MariaDB shows their names to
 * who may write to the table.
 */
export async function checkTriggersSeen(
  client: Asking,
  tables: readonly MappedTable[],
  account: string,
  product: MysqlProduct,
): Promise<Finding[]> {
  if (product === 'MariaDB') return [];
  const grants = await readGrants(client);
  return tables
    .filter(({ target }) => !grants.some((grant) => showsTriggers(grant, target.name)))
    .map(({ target }) =>
      createFinding('warning', 'privilege.trigger', {
        object: formatTableName(target.name),
        problem: `the user ${account} may not see its triggers, and a trigger would fire for every row of the stream`,
        found: 'no privilege TRIGGER',
        remedy: onTarget(`GRANT TRIGGER ON ${quoteTable(target.name)} TO ${quoteAccount(account)}`),
      }),
    );
}

/** The words of SHOW GRANTS, with those of the roles that are on. */
async function readGrants(client: Asking): Promise<readonly string[]> {
  const { rows: current } = await client.query('SELECT CURRENT_ROLE() AS roles');
  const roles = current[0]?.['roles'] ?? 'NONE';
  const { rows } = await client.query(`SHOW GRANTS FOR CURRENT_USER()${roles === 'NONE' ? '' : ` USING ${roles}`}`);
  return rows.flatMap((row) => Object.values(row).flatMap((value) => value ?? []));
}

const GRANT = /^GRANT (.+?) ON (?:TABLE )?(\*|`(?:[^`]|``)+`)\.(\*|`(?:[^`]|``)+`) TO /;

function showsTriggers(grant: string, name: TableName): boolean {
  const [, privileges = '', schema = '', table = ''] = GRANT.exec(grant) ?? [];
  if (!/\b(?:ALL PRIVILEGES|TRIGGER)\b/.test(privileges)) return false;
  // A database is a pattern there, whose signs a backslash takes the meaning from.
  const isSchema = schema === '*' || likeMatches(unquote(schema), name.schema);
  return isSchema && (table === '*' || unquote(table).toLowerCase() === name.table.toLowerCase());
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('``', '`');
}

function likeMatches(pattern: string, name: string): boolean {
  const source = [...pattern.matchAll(/\\(.)|([\s\S])/g)].map(([, escaped, plain]) => {
    if (plain === '%') return '.*';
    if (plain === '_') return '.';
    return (escaped ?? plain ?? '').replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'is').test(name);
}
