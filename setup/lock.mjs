import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from './say.mjs';

const TOUCH_MS = 5_000;
const POLL_MS = 200;
/** A holder that has not touched its lock for this long is dead, or on a host that is. */
const SILENT_MS = 60_000;

const held = new Set();

/** Runs `work` while no other set-up holds `file`; waits for a living holder, takes over from a dead one. */
export async function withLock(file, work) {
  mkdirSync(path.dirname(file), { recursive: true });
  await acquire(file);
  held.add(file);
  const touching = setInterval(() => touch(file), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    release(file);
  }
}

/** For the exit by a signal, which runs no `finally`. */
export function releaseLocks() {
  for (const file of held) release(file);
}

async function acquire(file) {
  let seen = { text: undefined, touchedMs: 0, sinceMs: 0 };
  let waiting = false;
  while (!tryCreate(file)) {
    const holder = readHolder(file);
    if (!holder) continue;
    const nowMs = performance.now();
    // Own waiting time is counted, not the file's age: a machine that slept must not take a living holder for dead.
    if (holder.text !== seen.text || holder.touchedMs !== seen.touchedMs) seen = { ...holder, sinceMs: nowMs };
    if (isDead(holder) || nowMs - seen.sinceMs > SILENT_MS) {
      takeAway(file, holder.text);
      continue;
    }
    if (!waiting) say(`another set-up is at work (process ${holder.pid} on ${holder.host}); waiting for it`);
    waiting = true;
    await delay(POLL_MS);
  }
}

function tryCreate(file) {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname(), at: new Date().toISOString() }), {
      flag: 'wx',
    });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file) {
  try {
    const text = readFileSync(file, 'utf8');
    const touchedMs = statSync(file).mtimeMs;
    try {
      return { text, touchedMs, ...JSON.parse(text) };
    } catch {
      // Created a moment ago and not yet written, or cut off by a crash: judged by its silence.
      return { text, touchedMs, pid: 'unknown', host: 'unknown' };
    }
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isDead({ pid, host }) {
  if (host !== hostname() || !Number.isInteger(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** Moves a dead holder's lock aside; renaming is atomic, so of two takers one finds nothing to move. */
function takeAway(file, deadText) {
  const aside = `${file}.dead-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  // Another taker was quicker and this is its new lock: give it back.
  if (readFileSync(aside, 'utf8') !== deadText) renameSync(aside, file);
  else rmSync(aside);
}

function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch {
    // Taken away or the folder removed: the work itself is atomic and needs no alarm.
  }
}

function release(file) {
  held.delete(file);
  if (readHolder(file)?.pid === process.pid) rmSync(file, { force: true });
}
