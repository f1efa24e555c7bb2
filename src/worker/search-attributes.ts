import type { Connection } from '@temporalio/client';

/** Ours, with the type that Temporal stores. */
const WANTED = ['FailbackPhase'] as const;
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;

/**
 * Registers our search attributes where that is permitted, and returns those that the namespace has. Upserting one that is not registered
 * would wedge the workflow task, so only these are ever upserted.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<readonly string[]> {
  const known = await list(connection, namespace);
  const missing = WANTED.filter((name) => !known.includes(name));
  if (missing.length === 0) return known;
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
    });
  } catch {
    // Not permitted, or somebody else has just done it: what is there counts.
  }
  return list(connection, namespace);
}

async function list(connection: Connection, namespace: string): Promise<readonly string[]> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return WANTED.filter((name) => Object.hasOwn(customAttributes, name));
  } catch {
    return [];
  }
}
