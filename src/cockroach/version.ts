/** A CockroachDB version as `version()` says it. */
export interface CockroachVersion {
  readonly major: number;
  readonly minor: number;
  /** e.g. `v25.2.0`. */
  readonly text: string;
}

const SHAPE = /CockroachDB\s+\S+\s+(v(\d+)\.(\d+)\S*)/;

/** Reads the answer of `SELECT version()`; null when it is not CockroachDB's. */
export function parseVersion(text: string): CockroachVersion | null {
  const match = SHAPE.exec(text);
  return match ? { major: Number(match[2]), minor: Number(match[3]), text: match[1] ?? '' } : null;
}

/** Whether the version is at least `major.minor`. */
export function isAtLeast(version: CockroachVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
