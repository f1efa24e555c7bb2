import type { Mutation } from '../mutation.js';
import { APPLY_MUTATIONS } from './apply.js';
import { BACKLOG_MUTATIONS } from './backlog.js';
import { COCKROACH_MUTATIONS } from './cockroach.js';
import { CURSOR_MUTATIONS } from './cursor.js';
import { DEAD_LETTER_MUTATIONS } from './dead-letters.js';
import { ORACLE_MUTATIONS } from './oracle.js';
import { MYSQL_MUTATIONS } from './mysql.js';
import { PORTABLE_MUTATIONS } from './portable.js';
import { PULL_MUTATIONS } from './pull.js';
import { GROUPS_MUTATIONS } from './groups.js';
import { GUARD_MUTATIONS } from './guard.js';
import { RECEIVER_MUTATIONS } from './receiver.js';
import { SOURCE_MUTATIONS } from './source.js';
import { RUNBOOK_MUTATIONS } from './runbook.js';
import { SQL_STAGE_MUTATIONS } from './sql-stage.js';
import { STAGE_MUTATIONS } from './stage.js';
import { STORE_MUTATIONS } from './store.js';
import { TAKEOVER_MUTATIONS } from './takeover.js';

export const MUTATIONS: readonly Mutation[] = [
  ...STAGE_MUTATIONS,
  ...SQL_STAGE_MUTATIONS,
  ...RECEIVER_MUTATIONS,
  ...APPLY_MUTATIONS,
  ...DEAD_LETTER_MUTATIONS,
  ...GUARD_MUTATIONS,
  ...TAKEOVER_MUTATIONS,
  ...STORE_MUTATIONS,
  ...PORTABLE_MUTATIONS,
  ...ORACLE_MUTATIONS,
  ...MYSQL_MUTATIONS,
  ...COCKROACH_MUTATIONS,
  ...CURSOR_MUTATIONS,
  ...SOURCE_MUTATIONS,
  ...RUNBOOK_MUTATIONS,
  ...PULL_MUTATIONS,
  ...GROUPS_MUTATIONS,
  ...BACKLOG_MUTATIONS,
];
