import { sinkError } from '../feeds/sink-check.js';
import type { Given, Parameters, Reader } from './reader.js';
import { quote, quoteNames } from './reader.js';
import { type Rewritten, countedTag } from './rewritten.js';

/** An option of the WITH clause; without a value it is there alone. */
type Option = readonly [string, Given | undefined];

/** CREATE CHANGEFEED, with and without a sink; undefined for other statements. */
export function rewriteChangefeed(r: Reader): Rewritten | undefined {
  if (!r.accept('create', 'changefeed') && !r.accept('experimental', 'changefeed')) return undefined;
  r.expect('for');
  const names = quoteNames(r.list(() => target(r)));
  const sink = r.accept('into') ? r.given() : undefined;
  const options = r.accept('with') ? optionList(r) : [];
  if (!r.done) r.fail();
  const pairs = options.map(([name, given]) => `${quote(name)}, ${given?.sql ?? 'NULL::text'}`);
  const expression = `jsonb_build_object(${pairs.join(', ')})`;
  if (sink === undefined) return { sql: '', sinkless: { names, options: expression } };
  const refused = (parameters: Parameters) =>
    sinkError(
      sink.value(parameters) ?? '',
      Object.fromEntries(options.map(([name, given]) => [name, given?.value(parameters) ?? null])),
    );
  const last = Math.max(sink.parameter, ...options.map(([, given]) => given?.parameter ?? 0));
  const literal = last === 0 ? refused([]) : null;
  // What the sink refuses depends on values that come later: it is one more parameter.
  const refusal = last > 0 ? `$${last + 1}::text` : literal === null ? 'NULL::text' : quote(literal);
  return {
    sql: `SELECT crdb_sim.create_changefeed(${names}, ${sink.sql}, ${refusal}, ${expression}) AS job_id`,
    mendTag: countedTag('CREATE CHANGEFEED'),
    createsChangefeed: true,
    ...(last > 0
      ? { parameters: { of: (given: Parameters) => [...given.slice(0, last), refused(given)], added: 1 } }
      : {}),
  };
}

function target(r: Reader): string[] {
  r.accept('table');
  if (r.isWord('into')) r.fail();
  return r.name();
}

function optionList(r: Reader): Option[] {
  const bracketed = r.accept('options');
  if (bracketed) r.expectSign('(');
  const options = r.list((): Option => {
    const name = r.identifier();
    return [name, r.acceptSign('=') ? r.given() : undefined];
  });
  if (bracketed) r.expectSign(')');
  return options;
}
