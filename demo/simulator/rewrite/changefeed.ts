import { parseClientTimeout, parseSinkConfig } from '../feeds/sink-options.js';
import type { Reader } from './reader.js';
import { quote, quoteNames } from './reader.js';
import { type Rewritten, countedTag, raising } from './rewritten.js';

/** Options whose inner form is the sink's to judge. */
const INNER: Readonly<Record<string, (text: string) => unknown>> = {
  webhook_sink_config: parseSinkConfig,
  webhook_client_timeout: parseClientTimeout,
};

/** CREATE CHANGEFEED, with and without a sink; undefined for other statements. */
export function rewriteChangefeed(r: Reader): Rewritten | undefined {
  if (!r.accept('create', 'changefeed') && !r.accept('experimental', 'changefeed')) return undefined;
  r.expect('for');
  const names = quoteNames(r.list(() => target(r)));
  const sink = r.accept('into') ? r.value() : undefined;
  const { expression, error } = r.accept('with') ? optionList(r) : { expression: `'{}'::jsonb`, error: undefined };
  if (!r.done) r.fail();
  if (error !== undefined) return raising('XXUUU', error);
  if (sink === undefined) return { sql: '', sinkless: { names, options: expression } };
  return {
    sql: `SELECT crdb_sim.create_changefeed(${names}, ${sink}, ${expression}) AS job_id`,
    mendTag: countedTag('CREATE CHANGEFEED'),
    createsChangefeed: true,
  };
}

function target(r: Reader): string[] {
  r.accept('table');
  return r.name();
}

function optionList(r: Reader): { expression: string; error: string | undefined } {
  const bracketed = r.accept('options');
  if (bracketed) r.expectSign('(');
  let error: string | undefined;
  const pairs = r.list(() => {
    const name = r.identifier();
    if (!r.acceptSign('=')) return `${quote(name)}, NULL::text`;
    const literal = r.peek();
    const value = r.value();
    if (literal?.kind === 'string') error ??= innerError(name, literal.value);
    return `${quote(name)}, ${value}`;
  });
  if (bracketed) r.expectSign(')');
  return { expression: `jsonb_build_object(${pairs.join(', ')})`, error };
}

function innerError(name: string, value: string): string | undefined {
  try {
    INNER[name]?.(value);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
