import { formatDuration } from './duration.js';
import { hlcToMillis, parseHlc } from './hlc.js';
import { openIncidents } from './incident.js';
import { MESSAGE_EFFECTS, MESSAGES } from './messages.js';
import type { Ending, RunbookStatus } from './status.js';

/** The page for people: current details in the UI, and the answer of the query `report`. Markdown. Pure. */
export function renderStatusPage(status: RunbookStatus): string {
  return [
    `## ${status.run}: ${status.phase}`,
    // No duration: nobody renders the page again while nothing changes.
    `In this phase since ${clock(status.phaseSince)}; last change ${clock(status.asOf)}.${status.waitingFor ? ` **Waits for:** ${status.waitingFor}.` : ''}`,
    ...(status.ending ? renderEnding(status.ending) : ['', messagesThatCount(status)]),
    ...section(
      'Open incidents',
      openIncidents(status.incidents).map(
        (incident) =>
          `**${incident.type}** since ${clock(incident.startedAt)}: ${incident.cause} *Do:* ${incident.remedy}`,
      ),
    ),
    ...section('Stream', streamLines(status)),
    ...section('Warnings', status.warnings),
    ...section(
      'Ended incidents',
      status.incidents
        .filter((incident) => incident.endedAt !== null)
        .map(
          (incident) =>
            `${incident.type}: ${clock(incident.startedAt)} for ${formatDuration((incident.endedAt ?? 0) - incident.startedAt)}: ${incident.cause}`,
        ),
    ),
    ...section(
      'Messages',
      status.messages.map((record) => `${clock(record.at)} ${record.message}: ${record.effect}`),
    ),
  ].join('\n');
}

function messagesThatCount({ phase, stream }: RunbookStatus): string {
  const names = MESSAGES.filter((message) => {
    const effect = MESSAGE_EFFECTS[phase][message];
    return typeof effect === 'string' && (effect !== 'replays' || Boolean(stream?.deadLetters));
  });
  return `Messages that count in this phase: ${names.join(', ') || 'none'}.`;
}

function renderEnding(ending: Ending): string[] {
  return [
    '',
    `### Ending: ${ending.outcome}`,
    ending.summary,
    '',
    `**May the application write to the old database now?** ${ending.mayApplicationWriteToOldDatabase}`,
    '',
    `**Forward replication:** ${ending.howToRestartForwardReplication}`,
    ...section('Done', ending.done),
    ...section('Remains for a person', ending.remains),
  ];
}

function streamLines(status: RunbookStatus): string[] {
  const { stream } = status;
  const lines: string[] = [];
  if (status.forward) lines.push(`forward replication: ${status.forward}`);
  if (status.applicationMayWriteSince)
    lines.push(
      `the application may write to CockroachDB since the cursor, ${instant(status.applicationMayWriteSince)}`,
    );
  if (status.atCursor) lines.push(`at the cursor: ${status.atCursor}`);
  if (!stream) return lines;
  lines.push(
    `${stream.intake === 'pull' ? 'changefeed without a sink' : `changefeed job ${stream.jobId ?? 'not created yet'}`} (${stream.jobStatus ?? 'unknown'}), incarnation ${stream.incarnation}, host ${stream.host ?? 'none yet'}`,
  );
  lines.push(
    stream.delivered
      ? `delivery is proven: ${stream.intake === 'pull' ? 'the run' : 'the receiver'} took resolved ${instant(stream.delivered)}`
      : 'delivery is not proven yet',
  );
  if (stream.applied)
    lines.push(
      `applied on the target up to ${instant(stream.applied)}${stream.lagMs === null ? '' : `, lag ${formatDuration(stream.lagMs)}`}, as of the last change; now: update \`inspect\``,
    );
  if (stream.deadLetters)
    lines.push(`${stream.deadLetters} changes that the target refused wait in \`dead_letters\`, as of the last change`);
  return lines;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `### ${title}`, ...lines.map((line) => `- ${line}`)];
}

/** An HLC with its time for people. */
function instant(hlc: string): string {
  return `${clock(hlcToMillis(parseHlc(hlc)))} (${hlc})`;
}

function clock(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, 19) + 'Z';
}
