import type { AttemptProgress } from '../domain/attempt.js';
import { hlcToMillis, parseHlc } from '../domain/hlc.js';

/** One metric family: name, kind, meaning, and its value in an attempt's figures. Names follow the field's where the meaning is the same. */
interface Family {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly value: (figures: AttemptProgress) => number;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'mutations_received_count',
    kind: 'counter',
    help: 'Rows received from the changefeed.',
    value: (f) => f.received,
  },
  {
    name: 'stage_duplicate_mutations_total',
    kind: 'counter',
    help: 'Rows received again while staged.',
    value: (f) => f.redelivered,
  },
  {
    name: 'stage_dropped_mutations_total',
    kind: 'counter',
    help: 'Rows received again after they were applied.',
    value: (f) => f.dropped,
  },
  {
    name: 'stage_late_mutations_total',
    kind: 'counter',
    help: 'Rows first received after they were declared resolved. Any is an alarm.',
    value: (f) => f.late,
  },
  { name: 'apply_upserts_total', kind: 'counter', help: 'Rows upserted on the target.', value: (f) => f.upserts },
  { name: 'apply_deletes_total', kind: 'counter', help: 'Rows deleted on the target.', value: (f) => f.deletes },
  { name: 'stage_mutations', kind: 'gauge', help: 'Changes in the stage.', value: (f) => f.stagedChanges },
  { name: 'stage_used_bytes', kind: 'gauge', help: 'Bytes in use in the stage.', value: (f) => f.stagedBytes },
  {
    name: 'stage_budget_bytes',
    kind: 'gauge',
    help: 'Bytes that the stage may use.',
    value: (f) => f.stageBudgetBytes,
  },
  {
    name: 'stream_incarnation',
    kind: 'gauge',
    help: 'Number of the current changefeed of the stream.',
    value: (f) => f.incarnation,
  },
  {
    name: 'checkpoint_committed_time_seconds',
    kind: 'gauge',
    help: 'Wall time of the committed checkpoint.',
    value: (f) => hlcToMillis(parseHlc(f.applied)) / 1_000,
  },
  {
    name: 'checkpoint_proposed_time_seconds',
    kind: 'gauge',
    help: 'Wall time of the newest resolved timestamp.',
    value: (f) => hlcToMillis(parseHlc(f.resolved)) / 1_000,
  },
  {
    name: 'target_lag_seconds',
    kind: 'gauge',
    help: 'Newest resolved timestamp minus the committed checkpoint.',
    value: (f) => f.lagMs / 1_000,
  },
];

/** What a worker shows: its live attempts, and how many have ended by themselves because nobody waited for them any more. */
export interface WorkerFigures {
  readonly attempts: readonly AttemptProgress[];
  readonly orphaned: number;
}

/** The figures of every live attempt, and of the worker, in Prometheus's text format. Pure. */
export function renderExposition({ attempts, orphaned }: WorkerFigures): string {
  const lines: string[] = [];
  for (const { name, kind, help, value } of FAMILIES) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    for (const figures of attempts) lines.push(`${name}{stream="${escapeLabel(figures.stream)}"} ${value(figures)}`);
  }
  lines.push(
    '# HELP attempts_orphaned_total Attempts that ended by themselves because their workflow was gone.',
    '# TYPE attempts_orphaned_total counter',
    `attempts_orphaned_total ${orphaned}`,
  );
  return `${lines.join('\n')}\n`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
}
