import { createIntake } from '../../src/receiver/intake.js';
import { startReceiver } from '../../src/receiver/server.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { hlcOf, HLC_ZERO } from '../../src/domain/hlc.js';

// A receiver with one stream in a process of its own, to be killed. Tells what happens as JSON lines on stdout.
interface Setting {
  readonly stageDir: string;
  readonly cert: string;
  readonly key: string;
}

const setting = JSON.parse(process.env['RECEIVER_SETTING'] ?? '{}') as Setting;
const tell = (line: object) =>
  process.stdout.write(
    `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`,
  );

try {
  const stage = openLmdbStage({ stageDir: setting.stageDir, stream: 's' });
  if (!stage.binding()) await stage.bind(1, hlcOf(1n), 'plan');
  const intake = createIntake({
    stream: 's',
    plan: [
      {
        topic: 't',
        source: { schema: 'public', table: 't' },
        sourceId: '1',
        target: { schema: 'public', table: 't' },
        keyColumns: [{ name: 'id', keyClass: 'exact' }],
      },
    ],
    stage,
    committed: () => HLC_ZERO,
    onAccepted: (taken) => tell({ taken }),
  });
  const receiver = await startReceiver({
    bindAddr: '127.0.0.1:0',
    tls: { cert: setting.cert, key: setting.key },
    onRefused: ({ status, error }) => tell({ refused: status, error: String(error) }),
  });
  receiver.register({ stream: 's', path: ['db', 'public'], token: 'token', receive: intake.receive });
  tell({ port: receiver.port, entries: stage.figures().entries });
} catch (error) {
  tell({ failed: (error as Error).name });
  process.exitCode = 3;
}
