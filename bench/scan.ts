import { createEnvelopeScanner } from '../src/receiver/envelope-scan.js';
import { createKeyReader } from '../src/receiver/key-canon.js';

// Bodies of 500 rows with 8 columns, about 300 bytes a row, from two tables in turns of 20.
const ROWS = 500;
const SECONDS = 1.5;

const rows: string[] = [];
for (let i = 0; i < ROWS; i++) {
  const name = Math.floor(i / 20) % 2 === 0 ? 'orders' : 'lines';
  rows.push(
    `{"after":{"amount":${(i * 1.25).toFixed(2)},"created":"2024-02-29T12:34:56.${100000 + i}","id":${9007199254740993n + BigInt(i)},"note":"${'the quick brown fox '.repeat(3)}",` +
      `"paid":${i % 2 === 0},"${name}_ref":"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10","state":"open","v":null},"key":[${9007199254740993n + BigInt(i)}],"topic":"${name}","updated":"1795320930${602742264 + i}.0000000000"}`,
  );
}
const body = Buffer.from(`{"payload":[${rows.join()}],"length":${ROWS}}`);

const scan = createEnvelopeScanner();
const keys = createKeyReader([{ name: 'id', keyClass: 'exact' }]);
let sum = 0;

const scanned = measure(() => {
  scan(body, (item) => {
    sum += item.afterEnd;
  });
});
const checked = measure(() => {
  scan(body, (item) => {
    sum += keys.canonical(body, item.keyStart, item.keyEnd).length;
    keys.requireMatch(body, item.row);
  });
});
const parsed = measure(() => {
  sum += (JSON.parse(body.toString()) as { length: number }).length;
});

console.log(`body: ${ROWS} rows, ${body.length} bytes (${Math.round(body.length / ROWS)} a row)`);
console.log(`scan:                 ${show(scanned)}  ${(scanned / parsed).toFixed(2)} x JSON.parse`);
console.log(`scan with key check:  ${show(checked)}  ${(checked / parsed).toFixed(2)} x JSON.parse`);
console.log(`JSON.parse:           ${show(parsed)}  (baseline; checksum ${sum % 10})`);

/** Megabytes (10^6 bytes) a second of the processor, so that neighbours on the machine do not count. */
function measure(run: () => void): number {
  for (let i = 0; i < 50; i++) run();
  const start = performance.now();
  const before = process.cpuUsage();
  let runs = 0;
  while (performance.now() - start < SECONDS * 1000) {
    run();
    runs++;
  }
  return (runs * body.length) / process.cpuUsage(before).user;
}

function show(megabytes: number): string {
  return `${megabytes.toFixed(0).padStart(4)} MB/s`;
}
