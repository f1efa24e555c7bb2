import { parseTableName } from './table.js';

/** Where a stage in a database lives, as the input says it. */
export interface StagingInput {
  /** By the worker's name for it. */
  readonly connection: string;
  /** `database.schema`, as the input has it. */
  readonly schema: string;
  /** The schema is made when it is not there, and dropped at the end when nothing else is in it. */
  readonly createSchema: boolean;
}

/** The two parts of `database.schema`, spelled as the database stores them. */
export function stagingSchema({ schema: text }: StagingInput): { readonly database: string; readonly schema: string } {
  const parts = parseTableName(text);
  if (parts === null) throw new Error(`"${text}" is not database.schema although the input was checked`);
  return { database: parts.schema, schema: parts.table };
}
