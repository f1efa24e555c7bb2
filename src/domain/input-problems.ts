import type { z } from 'zod';

/** One thing wrong with the input: which field, what was found there, what is wanted. */
export interface InputProblem {
  readonly field: string;
  readonly message: string;
}

/** Fields whose value is never shown: someone may have pasted a connection string where a connection's name belongs. */
const NAMES_OF_CONNECTIONS = new Set(['source', 'target', 'forward']);
const LONGEST_VALUE_SHOWN = 80;

/**
 * Turns zod's issues into problems that name the field and the value found. zod's own messages lack the value, and give an
 * unknown key an empty path.
 */
export function describeIssues(issues: readonly z.core.$ZodIssue[], input: unknown): InputProblem[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: [...issue.path, key].map(String).join('.'),
        message: 'unknown field: remove it, or correct its name',
      }));
    }
    const field = issue.path.map(String).join('.') || '(the whole input)';
    const found = valueAt(input, issue.path);
    const shown = show(found, issue.path);
    return [{ field, message: `${found === undefined ? 'is missing' : `found ${shown}`}: ${issue.message}` }];
  });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function show(value: unknown, path: readonly PropertyKey[]): string {
  if (path.some((key) => NAMES_OF_CONNECTIONS.has(String(key))))
    return `a value of ${String(value).length} characters (not shown)`;
  if (typeof value === 'string' && value.includes('://')) return 'a URL (not shown)';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > LONGEST_VALUE_SHOWN ? `${text.slice(0, LONGEST_VALUE_SHOWN)}...` : text;
}
