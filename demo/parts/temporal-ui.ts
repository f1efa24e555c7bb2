import { Connection } from '@temporalio/client';

/** A dev server serves its UI at its own port plus this, unless told. */
const PORTS_ABOVE = 1_000;
const ANSWER_MS = 2_000;

/** Where the UI of somebody's Temporal server is: looked for where a dev server has it, and known by the cluster it speaks to; else undefined. */
export async function findTemporalUi(address: string): Promise<string | undefined> {
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
  const ui = `http://${host}:${Number(port) + PORTS_ABOVE}`;
  const connection = Connection.lazy({ address });
  try {
    const { clusterId } = await connection.workflowService.getClusterInfo({});
    const answer = await fetch(`${ui}/api/v1/cluster-info`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const found = (await answer.json()) as { readonly clusterId?: string };
    return found.clusterId === clusterId ? ui : undefined;
  } catch {
    return undefined;
  } finally {
    await connection.close();
  }
}
