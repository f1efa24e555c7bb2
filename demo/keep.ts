import { findTemporal } from '../setup/locations.mjs';
import type { Scene } from './scene.js';

/** The server and the run that the commands name. */
export type Aim = Pick<Scene, 'temporalAddress' | 'namespace' | 'run'>;

/** The commands to try on the run, each with what it does; to be pasted into a shell as they are. Pure. */
export function commandsToTry(
  temporal: string,
  { temporalAddress, namespace, run }: Aim,
): readonly (readonly [string, string])[] {
  const command = (what: string, ...rest: readonly string[]) =>
    [temporal, 'workflow', ...what.split(' '), '--address', temporalAddress, '--namespace', namespace]
      .concat('--workflow-id', run, rest)
      .map(quoted)
      .join(' ');
  return [
    ['what is known, as one object', command('query', '--type', 'status')],
    ['the same, as a page for people', command('metadata')],
    ['fresh figures of both sides', command('update execute', '--name', 'inspect')],
    ['pause: the changefeed rests, what is resolved is applied', command('signal', '--name', 'pause')],
    ['resume', command('signal', '--name', 'resume')],
    [
      'finish: compares every row, then ends (first stop the application: Enter)',
      command('signal', '--name', 'finish'),
    ],
    ['or roll back: puts everything back as it was', command('signal', '--name', 'rollback')],
    ['how the run has ended, in words', command('result')],
  ];
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What `--keep` prints once the run replicates. */
export function keepPage(scene: Scene): string {
  const temporal = findTemporal();
  return [
    '',
    'The run replicates, and the application goes on writing. To try, in another terminal:',
    ...(temporal === undefined ? ['(the Temporal CLI is not found here: https://docs.temporal.io/cli)'] : []),
    ...commandsToTry(temporal ?? 'temporal', scene).flatMap(([what, command]) => ['', `# ${what}`, command]),
    '',
    ...(scene.ui === null ? [] : [`Temporal UI: ${scene.ui}`]),
    'Enter stops the application and starts it again; Ctrl-C ends everything.',
    '',
  ].join('\n');
}
