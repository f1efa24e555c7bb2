import type { Rule } from '../rule.js';
import { APPLY_RULES } from './apply.js';
import { CARRYING_RULES } from './carrying.js';
import { CHANGEFEED_RULES } from './changefeed.js';

/** In the order of the page. */
export const RULES: readonly Rule[] = [...CARRYING_RULES, ...CHANGEFEED_RULES, ...APPLY_RULES];

/** Rules that come with later work: what is there of them already is told where it is. */
export const NOT_YET: readonly (readonly [string, string])[] = [
  ['inv 6', 'memory is bounded by the window and the stage is on disk; the disk budget comes with rule 12'],
  ['7', 'TRUNCATE and DROP at the source are recognised and wait for a person; they are not carried out'],
  ['12', 'the budget of the stage and its 503'],
  [
    '16',
    'applied entries are purged at once; a target that was set back is served by a new changefeed at its checkpoint',
  ],
  ['17', 'the stage’s own host is asked first; stages that no row names are not dropped'],
  ['20', 'a timestamp is never split; the schema boundary and the target’s limits come'],
  ['26', 'parallel groups'],
  ['29', 'filters and transforms'],
  ['30', 'intake without a sink (pull)'],
  ['36', 'the ending says that forward replication must not start from where it was stopped; tagging comes'],
];
