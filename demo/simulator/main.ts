import { parseArgs } from 'node:util';
import { startSimulator } from './simulator.js';

// The simulator as a process: `node --import tsx demo/simulator/main.ts --port 26257 [--postgres URL | --data FOLDER]`.
const { values } = parseArgs({
  options: { port: { type: 'string' }, postgres: { type: 'string' }, data: { type: 'string' } },
});

const simulator = await startSimulator({
  port: Number(values.port ?? 26257),
  ...(values.postgres === undefined ? {} : { postgres: { connectionString: values.postgres } }),
  ...(values.data === undefined ? {} : { dataDir: values.data }),
  log: (line) => console.error(line),
});
console.log(`CockroachDB simulator: ${simulator.url()}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    simulator.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
