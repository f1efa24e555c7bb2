import { changesOf } from '../mutation.js';

const NO_200 =
  'no 200 before the flush returns; killed between staging and ack, the rows are there and the resend is a redelivery';

export const RECEIVER_MUTATIONS = [
  ...changesOf('src/receiver/intake.ts', 'test/receiver/durability.test.ts', [
    [
      'inv 1',
      'a body is taken before its rows are durable',
      'const result = await stage.accept(incarnation, rows, committed(), grows);',
      'const result = { staged: 0, dropped: 0, redelivered: 0, late: 0 }; void stage.accept(incarnation, rows, committed(), grows);',
      NO_200,
    ],
  ]),
  ...changesOf('src/receiver/server.ts', 'test/receiver/durability.test.ts', [
    [
      'inv 1',
      '200 is answered before the body is taken',
      'await registered.receive(target.incarnation, body);',
      'void registered.receive(target.incarnation, body);',
      NO_200,
    ],
  ]),
  ...changesOf('src/receiver/server.ts', 'test/receiver/server.test.ts', [
    [
      'inv 1',
      'a body that the stage refuses is answered with 200',
      'await registered.receive(target.incarnation, body);',
      'await registered.receive(target.incarnation, body).catch(() => undefined);',
      'key and after differ',
    ],
  ]),
  ...changesOf('src/receiver/intake.ts', 'test/spec/gaps.test.ts', [
    [
      'B',
      'resolved is taken before the rows of its body',
      `      const result = await stage.accept(incarnation, rows, committed(), grows);
      if (rows.length > 0) await applyAtOnce?.(rows);
      // Only after the rows are durable: should they be refused, resolved must not pass them (protocol rule B).
      if (resolved !== null) await stage.resolve(incarnation, resolved);`,
      `      if (resolved !== null) await stage.resolve(incarnation, resolved);
      const result = await stage.accept(incarnation, rows, committed(), grows);`,
      'a resolved timestamp never passes rows that the stage refused (protocol rule B)',
    ],
  ]),
  ...changesOf('src/receiver/intake.ts', 'test/receiver/server.test.ts', [
    [
      '8',
      "an upsert's key is not compared with its row",
      'keys.requireMatch(body, item.row);',
      '',
      'key and after differ',
    ],
  ]),
  ...changesOf('src/receiver/key-canon.ts', 'test/receiver/key-canon.test.ts', [
    ['18, inv 4', 'a DECIMAL key is its text', 'return canonicalDecimal(text);', 'return text;', 'decimal'],
    ['18', 'minus zero is another key', "return text === '-0' ? '0' : text;", 'return text;', 'float: minus zero'],
    [
      '8',
      'keys that differ from their row pass',
      'if (part(b, i, from, to) !== part(b, i, valueFrom, valueTo))',
      'if (place < 0)',
      'a difference is refused, naming the column and no value',
    ],
  ]),
];
