// The one-command demo: `npm run demo`; `-- --keep` has everything left up, `-- --target mysql` shows a MariaDB as the old database.
import { createInterface } from 'node:readline';
import { readArguments, type DemoWish } from './arguments.js';
import { createIncidentTeller } from './incidents.js';
import { keepPage } from './keep.js';
import { OLD_DIALECTS } from './old/dialects.js';
import { startRun, type Run } from './runbook.js';
import { openScene, type Scene } from './scene.js';
import { openScreen } from './screen.js';
import { cutOver, tellStory, type Cast } from './story.js';
import { startApplication, type Traffic } from './traffic.js';
import { renderEnding } from './ending.js';
import { startWatch } from './watch.js';

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** After a signal everything is ended within this time; what is left then dies with this process. */
const END_LIMIT_MS = 8_000;
const KEEP_PAUSE_MS = 250;

/** What a signal asked for; not a failure. */
class Interrupted extends Error {
  constructor(readonly exitCode: number) {
    super('interrupted');
  }
}

const wish = readArguments(process.argv.slice(2));
if (typeof wish === 'string') {
  process.stderr.write(`${wish}\n`);
  process.exit(2);
}

const screen = openScreen(process.stdout);
const end = new AbortController();
for (const [signal, exitCode] of Object.entries(SIGNALS)) {
  process.on(signal, () => {
    // A second one is from somebody who does not want to wait: the children die with us.
    if (end.signal.aborted) process.exit(exitCode);
    // Ctrl-C reaches all children at once: that their connections break is no news; nor that a terminal is gone.
    process.on('uncaughtException', () => undefined);
    screen.say(`${signal}: ending everything ...`);
    end.abort(new Interrupted(exitCode));
    setTimeout(() => process.exit(exitCode), END_LIMIT_MS).unref();
  });
}
process.exit(await main(wish));

/** Returns the exit code. */
async function main({ keep, target }: DemoWish): Promise<number> {
  const startedAt = performance.now();
  let scene: Scene | undefined;
  let ending: (() => Promise<unknown>) | undefined;
  let failed = false;
  try {
    scene = await openScene({
      target,
      say: (line) => screen.say(line),
      onFailure: (error) => end.abort(error),
      signal: end.signal,
    });
    const run = await startRun(scene, OLD_DIALECTS[target].name);
    if (!scene.ownTemporal) ending = () => run.terminate();
    return await play(scene, run, keep, startedAt);
  } catch (error) {
    screen.close();
    const reason: unknown = end.signal.aborted ? end.signal.reason : error;
    if (reason instanceof Interrupted) return reason.exitCode;
    failed = true;
    process.stderr.write(`the demo failed: ${reason instanceof Error ? words(reason) : String(reason)}\n`);
    return 1;
  } finally {
    await ending?.().catch(() => undefined);
    // Whoever still waits for an answer must not ask again over a connection that is closed.
    end.abort(new Error('the demo has ended'));
    if (failed && scene) process.stderr.write(`the worker's log: ${scene.logFile}\n`);
    await scene?.end(failed);
  }
}

async function play(scene: Scene, run: Run, keep: boolean, startedAt: number): Promise<number> {
  let traffic: Traffic | undefined;
  const tellIncidents = createIncidentTeller((line) => screen.say(line));
  const watch = startWatch(run, scene.metricsUrl, ({ status, figures }) => {
    tellIncidents(status?.incidents ?? []);
    screen.show({
      status,
      figures,
      reader: scene.readerFigures(),
      transactions: traffic?.transactions ?? 0,
      worker: scene.worker,
      ui: scene.ui,
      elapsedMs: performance.now() - startedAt,
    });
  });
  screen.print(
    scene.ui === null
      ? `the run has started: ${scene.run} in namespace ${scene.namespace} at ${scene.temporalAddress}, whose UI is not known here`
      : `the run has started: ${scene.ui}`,
  );
  const cast: Cast = {
    scene,
    run,
    watch,
    screen,
    signal: end.signal,
    fail: (error) => end.abort(error),
    onTraffic: (started) => (traffic = started),
  };
  // A run that fails ends the demo, wherever the story is.
  run.result(end.signal).catch((error: unknown) => end.abort(error));
  try {
    if (keep) return await stayUp(cast);
    const { ending, evidence, failures } = await tellStory(cast);
    await watch.stop();
    screen.close();
    screen.say(renderEnding(ending));
    screen.say(evidence);
    if (failures.length > 0) throw new Error(failures.join('; '));
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    screen.say(`the demo has succeeded in ${seconds} s: every row is on the old database, and every check holds`);
    return 0;
  } finally {
    await watch.stop();
    await traffic?.stop();
  }
}

/** Leaves everything up until a signal comes; Enter stops the application, and starts it again. */
async function stayUp(cast: Cast): Promise<number> {
  const { scene, run, screen, signal } = cast;
  let traffic: Traffic | null = await cutOver(cast, KEEP_PAUSE_MS);
  screen.print(keepPage(scene));
  run.result(signal).then(
    (ending) => screen.say(`${renderEnding(ending)}\nCtrl-C ends everything.`),
    (error: unknown) => !signal.aborted && screen.say(`the run has ended: ${words(error as Error)}`),
  );
  const lines = createInterface({ input: process.stdin });
  let turn = Promise.resolve();
  lines.on('line', () => {
    turn = turn.then(async () => {
      if (traffic) {
        await traffic.stop();
        traffic = null;
        screen.say('the application has stopped writing; Enter starts it again');
        return;
      }
      traffic = await startApplication(scene.source, KEEP_PAUSE_MS, cast.fail);
      cast.onTraffic(traffic);
      screen.say('the application writes to CockroachDB again; Enter stops it');
    });
    turn.catch(cast.fail);
  });
  await new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  }).finally(() => lines.close());
  return 1;
}

/** An error with what caused it, in one line. */
function words(error: Error): string {
  const { message, cause } = error;
  return cause instanceof Error ? `${message} (${words(cause)})` : message;
}
