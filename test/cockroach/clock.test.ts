import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startCockroach, clusterTimestamp, type Cockroach } from '../support/cockroach.js';
import { until } from '../support/until.js';

describe('cluster_logical_timestamp', () => {
  let cockroach: Cockroach;
  before(async () => (cockroach = await startCockroach()));
  after(() => cockroach.stop());

  it('is nanoseconds and ten digits, and grows', async () => {
    const first = await clusterTimestamp(cockroach.sql);
    const second = await clusterTimestamp(cockroach.sql);
    assert.match(first, /^\d{19}\.\d{10}$/);
    assert.ok(second > first, `${second} is not above ${first}`);
  });

  it('lies above every commit acknowledged before it and below every one begun after it', async () => {
    const table = cockroach.fresh('clock');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    const begun = new Set<number>();
    const acked = new Set<number>();
    let running = true;
    let next = 0;
    const writers = Array.from({ length: 6 }, async () => {
      const sql = await cockroach.connect();
      while (running) {
        const id = next++;
        begun.add(id);
        await sql.query(`INSERT INTO ${table} VALUES ($1)`, [id]);
        acked.add(id);
      }
    });
    const cuts: { time: string; ackedBefore: number[]; begunBefore: Set<number>; seenAtOnce: number[] }[] = [];
    const reader = await cockroach.connect();
    const seenAt = async (time: string) =>
      (await reader.query<{ id: string }>(`SELECT id FROM ${table} AS OF SYSTEM TIME '${time}' ORDER BY id`)).rows.map(
        (row) => Number(row.id),
      );
    for (let cut = 1; cut <= 40; cut += 1) {
      await until('more rows', () => acked.size >= cut * 5);
      const ackedBefore = [...acked];
      const time = await clusterTimestamp(cockroach.sql);
      const begunBefore = new Set(begun);
      cuts.push({ time, ackedBefore, begunBefore, seenAtOnce: await seenAt(time) });
    }
    running = false;
    await Promise.all(writers);
    for (const { time, ackedBefore, begunBefore, seenAtOnce } of cuts) {
      const seen = await seenAt(time);
      // Commits that had their timestamp but were not visible yet would appear only later.
      assert.deepEqual(seenAtOnce, seen, `the past at ${time} changed`);
      assert.deepEqual(
        ackedBefore.filter((id) => !seen.includes(id)),
        [],
        `acknowledged before ${time}, not seen at it`,
      );
      assert.deepEqual(
        seen.filter((id) => !begunBefore.has(id)),
        [],
        `begun after ${time}, seen at it`,
      );
    }
  });
});
