import type { FrontFaultArgs, FrontFaults } from '../front-faults.js';
import { raising, type Rewritten } from '../rewrite/rewritten.js';

/** A statement that reaches the database late, with or without its client. */
export interface Hold {
  readonly delayMs: number;
  /** The client's connection is cut at once. */
  readonly cut: boolean;
}

interface Met {
  readonly statement: Rewritten;
  readonly hold?: Hold;
  readonly dropAnswer: boolean;
}

/** What stands in the way of a statement now. Statements that speak to the simulator itself meet no injected error. */
export function meetStatement(faults: FrontFaults, sql: string, statement: Rewritten): Met {
  const error = sql.includes('crdb_sim.')
    ? undefined
    : faults.take('statement_error', (args) => new RegExp(text(args, 'pattern', ''), 'i').test(sql));
  if (error) {
    return {
      statement: raising(text(error, 'sqlstate', 'XXUUU'), text(error, 'message', 'injected by the simulator')),
      dropAnswer: false,
    };
  }
  if (!statement.createsChangefeed) return { statement, dropAnswer: false };
  const late = faults.take('create_late_commit');
  if (late)
    return {
      statement,
      hold: { delayMs: Number(late['delayMs'] ?? 0), cut: late['cut'] !== false },
      dropAnswer: false,
    };
  return { statement, dropAnswer: faults.take('create_drop_answer') !== undefined };
}

function text(args: FrontFaultArgs, name: string, otherwise: string): string {
  const value = args[name];
  return typeof value === 'string' ? value : otherwise;
}
