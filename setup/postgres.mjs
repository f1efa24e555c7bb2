import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { runChild } from './children.mjs';
import { isThere, postgresLocation } from './locations.mjs';
import { SetupProblem } from './problem.mjs';
import { say } from './say.mjs';

/** Makes PostgreSQL's binaries runnable: their library links (npm leaves them out without install scripts) and, for root, a readable copy. */
export async function ensurePostgres() {
  const { packageFolder, native, folder } = postgresLocation();
  if (folder !== native && isThere(folder)) return;
  await ensureLinks(packageFolder);
  if (folder !== native) await copyForEverybody(native, folder);
}

async function ensureLinks(packageFolder) {
  if (missingLinks(packageFolder).length === 0) return;
  const { output } = await runChild(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: packageFolder });
  const missing = missingLinks(packageFolder);
  if (missing.length > 0) {
    throw new SetupProblem(
      `PostgreSQL's library link ${missing[0]} cannot be made in ${packageFolder}: is the folder yours to write? ${output}`,
    );
  }
}

function missingLinks(packageFolder) {
  let links;
  try {
    links = JSON.parse(readFileSync(path.join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8'));
  } catch (error) {
    // Some platforms' packages need none and have no list.
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return links.map((link) => link.target).filter((target) => !isThere(path.join(packageFolder, target)));
}

async function copyForEverybody(native, folder) {
  say(`copying PostgreSQL (60 MB, once) to ${folder}, as root runs it as another user`);
  const copy = `${folder}.new-${randomUUID()}`;
  try {
    mkdirSync(path.dirname(folder), { recursive: true, mode: 0o755 });
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    // Under a umask of 077 npm has unpacked it for its owner alone.
    allowEverybody(copy);
    await rename(copy, folder);
  } catch (cause) {
    // Another set-up was quicker: the rename is atomic, so its copy is whole.
    if (cause.code === 'ENOTEMPTY' || cause.code === 'EEXIST') return;
    throw new SetupProblem(
      `PostgreSQL cannot be copied to ${folder} (${cause.message}): set FAILBACK_CACHE to a writable folder that every user may enter`,
      { cause },
    );
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

function allowEverybody(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) allowEverybody(at);
    else if (entry.isFile()) chmodSync(at, statSync(at).mode & 0o100 ? 0o755 : 0o644);
  }
}
