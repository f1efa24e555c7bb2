import type { Rule } from '../rule.js';
import { APPLY_RULES } from './apply.js';
import { CARRYING_RULES } from './carrying.js';
import { CHANGEFEED_RULES } from './changefeed.js';
import { PULL_RULES } from './pull.js';

/** In the order of the page. */
export const RULES: readonly Rule[] = [...CARRYING_RULES, ...CHANGEFEED_RULES, ...APPLY_RULES, ...PULL_RULES];

/** Rules that come with later work: what is there of them already is told where it is. */
export const NOT_YET: readonly (readonly [string, string])[] = [
  ['7', 'TRUNCATE and DROP at the source are recognised and wait for a person; they are not carried out'],
  ['29', 'filters and transforms'],
  ['36', 'the ending says that forward replication must not start from where it was stopped; tagging comes'],
];
