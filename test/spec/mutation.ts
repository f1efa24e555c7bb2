/** One change of the product that breaks a rule, and the test that must see it. */
export interface Mutation {
  /** Rules broken: `A` to `D`, `inv 1` ..., protocol numbers. */
  readonly rules: readonly string[];
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly test: NamedTest;
  /** What is broken, in words. */
  readonly note: string;
  /** The test hangs instead of failing. */
  readonly hangs?: boolean;
}

/** A test by its file and its title as the runner prints it. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

type Change = readonly [
  rules: string,
  note: string,
  find: string,
  replace: string,
  title: string,
  more?: { readonly hangs: true },
];

/** Mutations of one file that one test file sees. `rules` are separated by commas. */
export function changesOf(file: string, testFile: string, changes: readonly Change[]): readonly Mutation[] {
  return changes.map(([rules, note, find, replace, title, more]) => ({
    rules: rules.split(',').map((rule) => rule.trim()),
    file,
    find,
    replace,
    test: { file: testFile, title },
    note,
    ...more,
  }));
}
