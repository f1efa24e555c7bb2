import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { HLC_ZERO } from '../../src/domain/hlc.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { at, EVERYTHING, upsert } from './mutations.js';

/** Pages of files in our memory, in MB: LMDB's map, and our programs. */
function fileMegabytes(): number {
  return Number(/^RssFile:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

test('a stage that is read from end to end does not stay in memory, while rows come and go (invariant 6)', async (t) => {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-map-'));
  const stage = openLmdbStage({ stageDir, stream: 's' });
  t.after(async () => {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  });
  await stage.bind(1, at(0), 'plan');
  const [seconds, each, after] = [150, 250, `{"v":"${'x'.repeat(5_000)}"}`];
  for (let n = 1; n <= seconds; n++)
    await stage.accept(
      1,
      Array.from({ length: each }, (_, i) => upsert(at(n), `[${i}]`, after, ['v'])),
      HLC_ZERO,
    );
  const before = fileMegabytes();
  let most = 0;
  let rows = 0;
  const meanwhile: Promise<unknown>[] = [];
  for (let n = 1; n <= seconds; n++) {
    rows += (await stage.read(at(n - 1), at(n), EVERYTHING)).mutations.length;
    meanwhile.push(stage.accept(1, [upsert(at(1_000 + n), '[1]', after, ['v'])], HLC_ZERO));
    assert.ok(stage.figures().entries >= each * seconds, 'figures are there at any time');
    most = Math.max(most, fileMegabytes());
  }
  await Promise.all(meanwhile);
  assert.equal(rows, seconds * each);
  assert.equal(stage.figures().entries, seconds * (each + 1));
  assert.ok(stage.figures().usedBytes > 250_000_000, `${stage.figures().usedBytes} bytes`);
  assert.ok(most - before < 120, `${Math.round(most - before)} MB of its 300 were in memory at once`);
});
