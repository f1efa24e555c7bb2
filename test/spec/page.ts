import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MUTATIONS } from './mutations/index.js';
import type { NamedTest, Place, Rule } from './rule.js';
import { NOT_YET, RULES } from './rules/index.js';

const HEAD = `# What must hold, and who sees to it

Each invariant and protocol rule with the code that keeps it, the test that watches over it, and the mutations under which that test turns red. \`npm run spec\` makes each of these mutations in a copy of the project and shows the red; \`npm run spec -- A "inv 3"\` those of some rules.

This page is written by \`npm run spec -- --write\` from \`test/spec/rules\` and \`test/spec/mutations\`; a test fails when it no longer fits the code. **open** says what a rule still lacks.
`;

const LATER = `
## Not yet

Rules that come with later work.

| rule | so far |
|---|---|
`;

/** The text of docs/SPEC.md for the project at `root`. @throws when a place is not found exactly once */
export function renderSpec(root: string): string {
  const rows = RULES.map((rule) => renderRule(root, rule));
  const later = NOT_YET.map(([name, state]) => `| ${shownName(name)} | ${state} |`);
  return [
    HEAD,
    '| rule | in short | kept by | test | mutations |',
    '|---|---|---|---|---|',
    ...rows,
    `${LATER}${later.join('\n')}`,
    '',
  ].join('\n');
}

function renderRule(root: string, rule: Rule): string {
  const notes = [...new Set(MUTATIONS.filter(({ rules }) => rules.includes(rule.name)).map(({ note }) => note))];
  return [
    shownName(rule.name),
    rule.words + (rule.open === undefined ? '' : ` **open**: ${rule.open}`),
    rule.kept.map((place) => link(root, place)).join('<br>'),
    byFile(rule.tests),
    notes.join('; '),
  ].reduce((row, cell) => `${row} ${cell.replaceAll('|', '\\|')} |`, '|');
}

function shownName(name: string): string {
  return name.replace('inv ', 'invariant ');
}

function byFile(tests: readonly NamedTest[]): string {
  const files = [...new Set(tests.map(({ file }) => file))];
  return files
    .map((file) => {
      const titles = tests.filter((test) => test.file === file).map(({ title }) => `"${title}"`);
      return `[${file.replace(/^test\//, '')}](../${file}): ${titles.join(', ')}`;
    })
    .join('<br>');
}

function link(root: string, place: Place): string {
  const line = lineOf(readFileSync(path.join(root, place.file), 'utf8'), place);
  return `[${place.file.replace(/^src\//, '')}:${line}](../${place.file}#L${line})`;
}

/** The line, from 1, in which the marker begins. @throws when it is not there exactly once */
export function lineOf(text: string, { file, marker }: Place): number {
  const parts = text.split(marker);
  if (parts.length !== 2) throw new Error(`${file} holds "${marker}" ${parts.length - 1} times instead of once`);
  return (parts[0] ?? '').split('\n').length;
}
