import type { Ending } from '../src/domain/status.js';

/** The result of the run in words, for the terminal. Pure. */
export function renderEnding(ending: Ending): string {
  return [
    '',
    `The run ended: ${ending.outcome}. ${ending.summary}`,
    `May the application write to the old database now? ${ending.mayApplicationWriteToOldDatabase}`,
    ...list('Done', ending.done),
    ...list('Remains for a person', ending.remains),
    `Forward replication: ${ending.howToRestartForwardReplication}`,
    '',
  ].join('\n');
}

function list(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  - ${line}`)];
}
