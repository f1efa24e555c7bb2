import { readFileSync } from 'node:fs';
import { InvalidConfigError } from './config.js';

/** The text of a file that a variable of the environment names. @throws InvalidConfigError */
export function readPem(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InvalidConfigError([
      `${variable} names ${file}, which cannot be read (${error instanceof Error ? error.message : String(error)})`,
    ]);
  }
}
