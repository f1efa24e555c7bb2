import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';

// Needs no server. Recorded by `record.ts`.
const { History } = proto.temporal.api.history.v1;
const FOLDER = new URL('./histories/', import.meta.url);

interface RecordedEvent {
  readonly eventType: string;
  readonly activityTaskScheduledEventAttributes?: { activityType: { name: string } };
}
interface Recorded {
  readonly events: RecordedEvent[];
}

let workflowBundle: WorkflowBundle;
before(async () => {
  // The negative controls make Temporal's core warn.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
  });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
});

function load(file: string): Recorded {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Recorded;
}

/** A child's own id is checked by nothing; its parent's is, for it is signalled. */
async function replay(file: string, history: Recorded): Promise<void> {
  const [ending = '', type = ''] = file.split('.');
  await Worker.runReplayHistory(
    { workflowBundle },
    History.fromObject(history),
    type === 'stream' ? `${ending}/stream` : ending,
  );
}

const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));

test('there are histories of both workflows in both endings', () => {
  for (const file of ['finished.failback', 'finished.stream', 'rolled-back.failback', 'rolled-back.stream'])
    assert.ok(FILES.includes(`${file}.json`), file);
});

for (const file of FILES) {
  test(`${file} replays`, async () => replay(file, load(file)));

  test(`${file} with another activity in the place of one is found out`, async () => {
    const history = load(file);
    const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    assert.ok(scheduled?.activityTaskScheduledEventAttributes);
    scheduled.activityTaskScheduledEventAttributes.activityType.name = 'anotherActivity';
    await assert.rejects(replay(file, history), DeterminismViolationError);
  });

  test(`${file} holds no connection string and no key`, () => {
    const text = JSON.stringify(load(file), (_, value: unknown) =>
      typeof value === 'string' && /^[A-Za-z0-9+/]+=*$/.test(value) && value.length % 4 === 0
        ? Buffer.from(value, 'base64').toString()
        : value,
    );
    assert.doesNotMatch(text, /postgres(ql)?:\/\/|PRIVATE KEY|client_key=/);
  });
}
