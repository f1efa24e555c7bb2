import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { projectFolder } from '../../setup/locations.mjs';
import { readWorkerConfig } from '../../src/worker/config.js';

const read = (file: string): string => readFileSync(path.join(projectFolder, file), 'utf8');
const dockerfile = read('Dockerfile');

/** Of the worker: what the image sets, and over it what its service does. */
function environment(): Record<string, string> {
  const image = [...dockerfile.matchAll(/((?:FAILBACK|TEMPORAL)_[A-Z_]+)=(\S+)/g)];
  const service = /^ {2}worker:\n((?: {4}.*\n| *\n)+)/m.exec(read('docker-compose.yml'))?.[1] ?? '';
  const given = [...service.matchAll(/^ {6}((?:FAILBACK|TEMPORAL)_[A-Z_]+): (\S+)$/gm)];
  assert.ok(given.length > 5, 'the variables of the service are found');
  return Object.fromEntries([...image, ...given].map(([, name = '', value = '']) => [name, value]));
}

test('the worker takes the settings of docker-compose.yml, and knows each of them', () => {
  const env = environment();
  const config = readWorkerConfig(env);
  assert.deepEqual([...config.connections.keys()], ['source', 'target', 'mysql', 'oracle']);
  // A variable with a typo would be a setting that silently is not there.
  const known = read('src/worker/config.ts');
  for (const name of Object.keys(env).filter((one) => !one.startsWith('FAILBACK_CONNECTION_')))
    assert.match(known, new RegExp(`^ {2}${name}:`, 'm'), name);
});

test('the certificates that the worker is given are those that are made, for the name by which it is reached', () => {
  const compose = read('docker-compose.yml');
  const [, folder, name] = /command: sh docker\/certificates\.sh (\S+) (\S+)/.exec(compose) ?? [];
  const script = read('docker/certificates.sh');
  const made = [...script.matchAll(/^issue (\w+) /gm)]
    .flatMap(([, one]) => [`${one}.crt`, `${one}.key`])
    .concat('ca.crt');
  const { receiver, sink } = readWorkerConfig(environment());
  assert.ok(receiver);
  const files = [
    receiver.tlsCertificateFile,
    receiver.tlsPrivateKeyFile,
    receiver.clientCaFile,
    ...Object.values(sink),
  ];
  for (const file of files) {
    assert.equal(path.dirname(file ?? ''), folder);
    assert.ok(made.includes(path.basename(file ?? '')), `${file} is made`);
  }
  assert.equal(new URL(receiver.advertisedUrl).hostname, name);
});

test('the image has what it copies and what it runs, and is healthy where the worker says so', () => {
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '));
  for (const file of copied) assert.ok(existsSync(path.join(projectFolder, file)), file);
  const ignored = read('.dockerignore').split('\n');
  for (const file of copied) assert.ok(ignored.includes(`!${file.split('/')[0]}`), `.dockerignore leaves ${file} in`);
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  const main = command.at(-1) ?? '';
  assert.ok(copied.some((file) => main.startsWith(`${file}/`)) && existsSync(path.join(projectFolder, main)), main);
  const { metricsAddr } = readWorkerConfig(environment());
  assert.ok(dockerfile.includes(`http://127.0.0.1${metricsAddr}/_/healthz`));
});

test('the worker imports nothing that its image does not install', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const sources = readdirSync(path.join(projectFolder, 'src'), { recursive: true, encoding: 'utf8' });
  for (const file of sources.filter((name) => name.endsWith('.ts'))) {
    const imported = read(path.join('src', file)).matchAll(
      /^(?:import|export) (?!type\b)(?:[\w\s{},*]* from )?'((?:@[^/']+\/)?[^./'][^/']*)/gm,
    );
    for (const [, name = ''] of imported)
      assert.ok(name.startsWith('node:') || name in dependencies, `${file}: ${name}`);
  }
  assert.ok('tsx' in dependencies, 'the command needs it');
});
