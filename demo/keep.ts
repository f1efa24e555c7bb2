import { findTemporal } from '../setup/locations.mjs';
import { RUN } from './runbook.js';
import type { Scene } from './scene.js';

/** The commands to try on the run, each with what it does. Pure. */
export function commandsToTry(temporal: string, address: string): readonly (readonly [string, string])[] {
  const command = (what: string, rest = '') =>
    `${temporal} workflow ${what} --address ${address} --workflow-id ${RUN}${rest}`;
  return [
    ['what is known, as one object', command('query', ' --type status')],
    ['the same, as a page for people', command('metadata')],
    ['fresh figures of both sides', command('update execute', ' --name inspect')],
    ['pause: the changefeed rests, what is resolved is applied', command('signal', ' --name pause')],
    ['resume', command('signal', ' --name resume')],
    ['finish: compares every row, then ends (first stop the application: Enter)', command('signal', ' --name finish')],
    ['roll back: puts everything back as it was', command('signal', ' --name rollback')],
  ];
}

/** What `--keep` prints once the run replicates. */
export function keepPage({ temporalAddress, ui }: Scene): string {
  const temporal = findTemporal() ?? 'temporal';
  return [
    '',
    'The run replicates, and the application goes on writing. To try:',
    ...commandsToTry(temporal, temporalAddress).flatMap(([what, command]) => ['', `  # ${what}`, `  ${command}`]),
    '',
    ...(ui === null ? [] : [`Temporal UI: ${ui}/namespaces/default/workflows/${RUN}`]),
    'Enter stops the application and starts it again; Ctrl-C ends everything.',
    '',
  ].join('\n');
}
