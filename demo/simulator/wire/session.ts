import type net from 'node:net';
import type { SimulatedDatabase } from '../database.js';
import { rewrite, type Catalogue, type SessionState } from '../rewrite/rewrite.js';
import type { Rewritten } from '../rewrite/rewritten.js';
import { createAnswers } from './answers.js';
import { readBind, writeBind } from './bind.js';
import { meetStatement, type Hold } from './meet-faults.js';
import { bodyOf, createFramer, errorResponse, message, readTexts, type Frame } from './messages.js';
import { answerSinkless, describeSinkless, type SinklessPortal } from './sinkless.js';

export interface SessionOptions {
  readonly client: net.Socket;
  readonly backend: net.Socket;
  readonly database: SimulatedDatabase;
  readonly user: string;
  /** Called with the key under which the client may cancel. */
  readonly onKey: (key: string, session: Session) => void;
}

export interface Session {
  /** The client asked for what runs to be cancelled; true when it ran here and not in the database. */
  cancel(): boolean;
  /** Resolves when both sides are closed. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Serves one client after its start-up message: statements are rewritten on their way, answers mended on theirs. */
export function startSession({ client, backend, database, user, onKey }: SessionOptions): Session {
  const state: SessionState = { asOf: undefined };
  const catalogue: Catalogue = database.catalogueFor(user);
  const answers = createAnswers();
  const statements = new Map<string, Rewritten>();
  const portals = new Map<string, { statement: Rewritten; sinkless: SinklessPortal | undefined }>();
  let streaming: AbortController | undefined;
  let hold: (Hold & { readonly frames: Buffer[] }) | undefined;
  let dropAnswer = false;
  /** An error of ours was sent: wait for Sync. */
  let failed = false;
  /** The message spoke to the simulator itself: faults may have changed. */
  let touched = false;

  const session: Session = {
    cancel() {
      streaming?.abort();
      return streaming !== undefined;
    },
    ended: Promise.all([serveClient(), serveBackend()]).then(() => undefined),
    close() {
      client.destroy();
      backend.destroy();
    },
  };

  const settled = async () => {
    await database.faults.refresh();
  };

  function send(bytes: Buffer): void {
    if (hold) hold.frames.push(bytes);
    else backend.write(bytes);
  }

  /** Ends a message of statements: what was held back goes to the database later, with or without a client. */
  function release(): void {
    if (!hold) return;
    const { frames, delayMs, cut } = hold;
    hold = undefined;
    setTimeout(() => {
      if (!backend.destroyed) backend.write(Buffer.concat(frames));
    }, delayMs);
    if (cut) client.destroy();
  }

  function meetFaults(sql: string, statement: Rewritten): Rewritten {
    const met = meetStatement(database.faults, sql, statement);
    hold ??= met.hold && { ...met.hold, frames: [] };
    dropAnswer ||= met.dropAnswer;
    return met.statement;
  }

  async function onQuery(frame: Frame): Promise<void> {
    const sql = readTexts(bodyOf(frame), 1).texts[0] ?? '';
    const all = (await rewrite(sql, state, catalogue)).map((statement) => meetFaults(sql, statement));
    const sinkless = all[0]?.sinkless;
    if (sinkless) {
      await answers.drained();
      await stream({ request: sinkless, parameters: [], binary: false, describes: true });
      client.write(message('Z', Buffer.from(answers.transaction)));
      return;
    }
    answers.expect({
      kind: 'query',
      tags: all.map((statement) => statement.mendTag),
      answered: 0,
      ...(sql.includes('crdb_sim.') ? { settled } : {}),
    });
    send(message('Q', all.map((statement) => statement.sql).join(';\n')));
    release();
  }

  async function stream(portal: SinklessPortal): Promise<boolean> {
    streaming = new AbortController();
    const stop = () => streaming?.abort();
    client.once('close', stop);
    try {
      return await answerSinkless(client, database, user, portal, streaming.signal);
    } finally {
      client.off('close', stop);
      streaming = undefined;
    }
  }

  async function onParse(frame: Frame): Promise<void> {
    const { texts, end } = readTexts(bodyOf(frame), 2);
    const [name = '', sql = ''] = texts;
    const [first] = await rewrite(sql, state, catalogue);
    const statement = meetFaults(sql, first ?? { sql: '' });
    statements.set(name, statement);
    if (statement.sinkless) {
      await answers.drained();
      client.write(message('1'));
      return;
    }
    if (sql.includes('crdb_sim.')) touched = true;
    send(message('P', name, statement.sql, bodyOf(frame).subarray(end)));
  }

  function onBind(frame: Frame): void {
    const bind = readBind(frame);
    const statement = statements.get(bind.statement) ?? { sql: '' };
    const request = statement.sinkless;
    portals.set(bind.portal, {
      statement,
      sinkless: request && {
        request,
        parameters: bind.parameters,
        binary: bind.binaryResults,
        describes: false,
      },
    });
    if (request) client.write(message('2'));
    else send(statement.parameters ? writeBind(bind, statement.parameters.of(bind.parameters)) : frame.bytes);
  }

  function onDescribe(frame: Frame): void {
    const body = bodyOf(frame);
    const ofStatement = body[0] === 0x53;
    const name = readTexts(body.subarray(1), 1).texts[0] ?? '';
    const local = ofStatement
      ? statements.get(name)?.sinkless && { request: statements.get(name)?.sinkless, binary: false }
      : portals.get(name)?.sinkless;
    if (local) {
      if (ofStatement) client.write(message('t', Buffer.from([0, 0])));
      client.write(describeSinkless(local.binary));
      return;
    }
    if (ofStatement)
      answers.expect({ kind: 'describe-statement', hidden: statements.get(name)?.parameters?.added ?? 0 });
    send(frame.bytes);
  }

  async function onExecute(frame: Frame): Promise<void> {
    const portal = portals.get(readTexts(bodyOf(frame), 1).texts[0] ?? '');
    if (portal?.sinkless) {
      failed = !(await stream(portal.sinkless));
      return;
    }
    answers.expect({ kind: 'execute', tag: portal?.statement.mendTag });
    send(frame.bytes);
  }

  function onSync(frame: Frame): void {
    failed = false;
    answers.expect({ kind: 'sync', ...(touched ? { settled } : {}) });
    touched = false;
    send(frame.bytes);
    release();
  }

  async function onMessage(frame: Frame): Promise<void> {
    // After an error of our own everything up to the next Sync is passed over, as the database does after its own.
    if (failed && frame.type !== 'S' && frame.type !== 'X') return;
    switch (frame.type) {
      case 'Q':
        return onQuery(frame);
      case 'P':
        return onParse(frame);
      case 'B':
        return onBind(frame);
      case 'D':
        return onDescribe(frame);
      case 'E':
        return onExecute(frame);
      case 'S':
        return onSync(frame);
      default:
        send(frame.bytes);
    }
  }

  async function serveClient(): Promise<void> {
    const framer = createFramer(() => false);
    try {
      for await (const chunk of client as AsyncIterable<Buffer>) {
        framer.push(chunk);
        for (let frame = framer.take(); frame; frame = framer.take()) await onMessage(frame);
      }
    } catch (error) {
      if (client.writable) client.end(errorResponse('XX000', (error as Error).message, { severity: 'FATAL' }));
    }
    endBackendWhenIdle();
  }

  /** A statement on its way is finished without its client, as a database does. */
  function endBackendWhenIdle(): void {
    void answers.drained().then(() => backend.end());
  }

  async function serveBackend(): Promise<void> {
    const framer = createFramer(() => false);
    try {
      for await (const chunk of backend as AsyncIterable<Buffer>) {
        framer.push(chunk);
        const out: Buffer[] = [];
        for (let frame = framer.take(); frame; frame = framer.take()) {
          if (frame.type === 'K') onKey(bodyOf(frame).toString('hex'), session);
          const translated = answers.translate(frame);
          out.push(translated instanceof Buffer ? translated : await translated);
          if (frame.type === 'Z' && answers.transaction === 'I') state.asOf = undefined;
          if (dropAnswer && frame.type === 'Z') client.destroy();
        }
        if (!dropAnswer && !client.destroyed && !client.write(Buffer.concat(out))) await drain(client);
      }
    } catch {
      // Cut, by the database or by `close`: the client sees the end of its connection.
    }
    streaming?.abort();
    client.end();
  }

  return session;
}

function drain(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}
