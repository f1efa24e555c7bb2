import { findExecutable, serverFolders } from '../setup/locations.mjs';
import { OLD_DIALECTS, type OldDialectName } from './old/dialects.js';

export interface DemoWish {
  /** Leave everything up. */
  readonly keep: boolean;
  readonly target: OldDialectName;
}

const USAGE = 'use `npm run demo`, `npm run demo -- --keep` or `npm run demo -- --target mysql`';

/** What the command line asks for, or one line that says what is wrong with it, or what is missing for it. */
export function readArguments(args: readonly string[]): DemoWish | string {
  let keep = false;
  let target: OldDialectName = 'postgres';
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === '--keep') keep = true;
    else if (arg === '--target') {
      const name = args[++i] ?? 'nothing';
      if (!isDialect(name))
        return `--target is ${JSON.stringify(name)}, expected ${Object.keys(OLD_DIALECTS).join(' or ')}`;
      target = name;
    } else return `unknown argument ${JSON.stringify(arg)}: ${USAGE}`;
  }
  if (target === 'mysql' && findExecutable('mariadbd', serverFolders()) === undefined)
    return 'the demo with MySQL runs on MariaDB, and mariadbd is missing: apt-get install mariadb-server';
  return { keep, target };
}

function isDialect(name: string): name is OldDialectName {
  return Object.hasOwn(OLD_DIALECTS, name);
}
