import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TargetUnavailableError } from '../../../src/targets/failures.js';
import { connectOracle } from '../../../src/targets/oracle/client.js';
import { freePort } from '../../support/ports.js';

test('a listener that is not there is worth another attempt, and the password is not told', async () => {
  const port = await freePort();
  await assert.rejects(
    connectOracle({ connectionString: `oracle://u:secret@127.0.0.1:${port}/S`, applicationName: 'failback x' }),
    (error: unknown) => {
      assert.ok(error instanceof TargetUnavailableError, String(error));
      assert.equal(error.code, 'NJS-503');
      assert.doesNotMatch(String(error) + String((error.cause as Error).stack), /secret/);
      return true;
    },
  );
});
