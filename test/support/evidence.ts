import type { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';

/** A place where people or programs can read what a run has left, and its text. */
export interface Evidence {
  readonly place: string;
  readonly text: string;
}

/** Everything that Temporal keeps of a workflow, with every payload decoded: history, memo, heartbeats, search attributes. */
export async function readTemporal(client: Client, workflowId: string): Promise<Evidence[]> {
  const handle = client.workflow.getHandle(workflowId);
  const [history, description] = await Promise.all([handle.fetchHistory(), handle.describe()]);
  return [
    { place: `history of ${workflowId}`, text: decoded(history) },
    { place: `description of ${workflowId}`, text: decoded(description.raw) },
  ];
}

/** JSON with payloads and other bytes as text. */
function decoded(value: unknown): string {
  return JSON.stringify(plain(value));
}

/** Before JSON.stringify, which would ask the messages for their own JSON: there payloads are base64. */
function plain(value: unknown): unknown {
  if (isPayload(value)) {
    try {
      return defaultPayloadConverter.fromPayload<unknown>(value);
    } catch {
      return Buffer.from(value.data ?? []).toString();
    }
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'metadata' in value && 'data' in value;
}

/** Where each canary is found, as it is or URL- or base64-encoded. */
export function findCanaries(evidence: readonly Evidence[], canaries: Readonly<Record<string, string>>): string[] {
  return evidence.flatMap(({ place, text }) =>
    Object.entries(canaries)
      .filter(([, canary]) => formsOf(canary).some((form) => text.includes(form)))
      .map(([name]) => `${name} in ${place}`),
  );
}

function formsOf(canary: string): string[] {
  const readable = [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1)];
  return [...readable, ...readable.flatMap(base64Of)];
}

/** The three ways in which a text can lie within base64, without the ends that depend on its neighbours. */
function base64Of(text: string): string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(' '.repeat(shift) + text).toString('base64');
    return encoded.slice(Math.ceil((shift * 4) / 3), -4);
  });
}
