import type { NamedTest } from './mutation.js';

export type { NamedTest };

/** One invariant or protocol rule, with who keeps it and who watches over it. */
export interface Rule {
  /** `inv 1`, `A`, `23`. */
  readonly name: string;
  /** In our own words, one line. */
  readonly words: string;
  readonly kept: readonly Place[];
  readonly tests: readonly NamedTest[];
  /** What is still missing; absent: nothing. */
  readonly open?: string;
}

/** A place in the product, by a text that is in one line only. */
export interface Place {
  readonly file: string;
  readonly marker: string;
}

export const at = (file: string, marker: string): Place => ({ file, marker });
export const by = (file: string, ...titles: readonly string[]): readonly NamedTest[] =>
  titles.map((title) => ({ file, title }));
