/**
 * What becomes of a column that the source sends and the target's table lacks.
 * - `error`: the stream halts and says which ALTER TABLE to run.
 * - `ignore`: it is left out.
 * - `into`: all of them are kept as one object in this column (jsonb) of the target's table.
 */
export type ExtraColumns = 'error' | 'ignore' | { readonly into: string };
