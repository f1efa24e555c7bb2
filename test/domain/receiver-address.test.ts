import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiverAddress } from '../../src/domain/receiver-address.js';

test('an advertised URL is read into host and port', () => {
  const table: [string, string, number][] = [
    ['https://failback-1.internal:30004', 'failback-1.internal', 30004],
    ['https://failback-1.internal', 'failback-1.internal', 443],
    ['https://10.0.0.1:30004', '10.0.0.1', 30004],
    ['https://[2001:db8::1]:30004', '2001:db8::1', 30004],
  ];
  for (const [url, host, port] of table) assert.deepEqual(receiverAddress(url), { host, port }, url);
});
