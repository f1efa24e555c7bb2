import { formatDuration } from './duration.js';
import { openIncidents } from './incident.js';
import type { Ending, RunbookStatus } from './status.js';

/** The page for people: current details in the UI, and the answer of the query `report`. Markdown. Pure. */
export function renderStatusPage(status: RunbookStatus): string {
  const since = formatDuration(Math.max(0, status.asOf - status.phaseSince));
  return [
    `## ${status.run}: ${status.phase}`,
    `As of ${clock(status.asOf)}, in this phase for ${since}.${status.waitingFor ? ` **Waits for:** ${status.waitingFor}.` : ''}`,
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
    ...(status.ending ? renderEnding(status.ending) : []),
  ].join('\n');
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
    lines.push(`cursor ${status.applicationMayWriteSince}: the application may write to CockroachDB since`);
  if (status.atCursor) lines.push(`at the cursor: ${status.atCursor}`);
  if (!stream) return lines;
  lines.push(
    `changefeed job ${stream.jobId ?? 'not created yet'} (${stream.jobStatus ?? 'unknown'}), incarnation ${stream.incarnation}, host ${stream.host ?? 'none yet'}`,
  );
  lines.push(
    stream.delivered
      ? `delivery is proven: the receiver took resolved ${stream.delivered}`
      : 'delivery is not proven yet',
  );
  if (stream.applied)
    lines.push(
      `applied on the target up to ${stream.applied}${stream.lagMs === null ? '' : `, lag ${formatDuration(stream.lagMs)}`}`,
    );
  return lines;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `### ${title}`, ...lines.map((line) => `- ${line}`)];
}

function clock(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, 19) + 'Z';
}
