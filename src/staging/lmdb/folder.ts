import { createHash } from 'node:crypto';
import path from 'node:path';

/** File systems allow 255 bytes a name. */
const MAX_NAME = 200;

/** The folder of a stream's stage: its id, with every byte that a file system might read its own way written as %XX. */
export function stageFolder(stageDir: string, stream: string): string {
  const name = Buffer.from(stream)
    .toString('latin1')
    .replace(/[^A-Za-z0-9_-]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
  if (name.length <= MAX_NAME) return path.resolve(stageDir, name);
  const digest = createHash('sha256').update(stream).digest('hex').slice(0, 32);
  return path.resolve(stageDir, `${name.slice(0, MAX_NAME - 33)}~${digest}`);
}
