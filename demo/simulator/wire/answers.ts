import { bodyOf, int16, message, readTexts, widenIntegers, type Frame } from './messages.js';

type Mend = ((tag: string) => string) | undefined;

/** What the database still has to answer, in the order it was asked. */
export type Expectation =
  | { readonly kind: 'query'; readonly tags: readonly Mend[]; answered: number; readonly settled?: () => Promise<void> }
  | { readonly kind: 'execute'; readonly tag: Mend }
  /** `hidden`: how many parameters at the end are not the client's. */
  | { readonly kind: 'describe-statement'; readonly hidden: number }
  | { readonly kind: 'sync'; settled?: () => Promise<void> };

const SERVER_VERSION = '13.0.0';
const CRDB_VERSION = 'CockroachDB CCL v25.2.0 (simulator)';

/**
 * Passes the database's messages on as CockroachDB's: command tags, versions, widths of integers. `expect` is called for
 * each thing asked; `transaction` is the state of the last ReadyForQuery: I, T or E.
 */
export function createAnswers() {
  const expected: Expectation[] = [];
  const waiting: (() => void)[] = [];
  let transaction = 'I';

  function settle(): void {
    if (expected.length === 0) for (const resolve of waiting.splice(0)) resolve();
  }

  /** One statement is done: its tag as CockroachDB says it. */
  function finishStatement(tag: string): string {
    const head = expected[0];
    if (head?.kind === 'query') return head.tags[head.answered++]?.(tag) ?? tag;
    if (head?.kind !== 'execute') return tag;
    expected.shift();
    return head.tag?.(tag) ?? tag;
  }

  function dropUntilSync(): void {
    if (expected[0]?.kind === 'query') return;
    while (expected.length > 0 && expected[0]?.kind !== 'sync') expected.shift();
  }

  return {
    expect: (expectation: Expectation) => void expected.push(expectation),
    get transaction() {
      return transaction;
    },
    /** Resolves when everything asked is answered. */
    drained: () => (expected.length === 0 ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
    /** What the client is to be given for one message of the database. */
    translate(frame: Frame): Buffer | Promise<Buffer> {
      switch (frame.type) {
        case 'S':
          return translateStatus(frame);
        case 't':
          return expected[0]?.kind === 'describe-statement' && expected[0].hidden > 0
            ? withoutParameters(frame, expected[0].hidden)
            : frame.bytes;
        case 'T':
          if (expected[0]?.kind === 'describe-statement') expected.shift();
          else widenIntegers(frame.bytes);
          return frame.bytes;
        case 'n':
          if (expected[0]?.kind === 'describe-statement') expected.shift();
          return frame.bytes;
        case 'C':
          return message('C', finishStatement(readTexts(bodyOf(frame), 1).texts[0] ?? ''));
        case 'I':
        case 's':
          finishStatement('');
          return frame.bytes;
        case 'E':
          dropUntilSync();
          return translateError(frame);
        case 'Z': {
          transaction = String.fromCharCode(bodyOf(frame)[0] ?? 0);
          const done = expected.shift();
          settle();
          const settled = done && 'settled' in done ? done.settled?.() : undefined;
          return settled ? settled.then(() => frame.bytes) : frame.bytes;
        }
        default:
          return frame.bytes;
      }
    },
  };
}

export type Answers = ReturnType<typeof createAnswers>;

function translateStatus(frame: Frame): Buffer {
  if (readTexts(bodyOf(frame), 1).texts[0] !== 'server_version') return frame.bytes;
  return Buffer.concat([message('S', 'server_version', SERVER_VERSION), message('S', 'crdb_version', CRDB_VERSION)]);
}

function withoutParameters(frame: Frame, hidden: number): Buffer {
  const body = bodyOf(frame);
  const shown = Math.max(0, body.readInt16BE(0) - hidden);
  return message('t', int16(shown), body.subarray(2, 2 + 4 * shown));
}

/** Where in PostgreSQL, and where in the rewritten text, is no concern of the client. */
const OWN_FIELDS = new Set(['W', 'P', 'p', 'q', 'F', 'L', 'R']);

function translateError(frame: Frame): Buffer {
  const { texts } = readTexts(bodyOf(frame));
  const kept = texts.filter((field) => field !== '' && !OWN_FIELDS.has(field.charAt(0)));
  return message('E', ...kept, Buffer.from([0]));
}
