import type { Edits } from './edits.js';
import type { Token } from './tokens.js';

const named = (token: Token | undefined, value: string) => token?.kind === 'word' && token.value === value;
const signed = (token: Token | undefined, value: string) => token?.kind === 'sign' && token.value === value;

/** Functions and tables that exist here under another name. */
export function editNames(tokens: readonly Token[], edits: Edits, asOf: string | undefined): void {
  tokens.forEach((token, at) => {
    const calls = signed(tokens[at + 1], '(') && !signed(tokens[at - 1], '.');
    const following = tokens[at + 2];
    if (named(token, 'version') && calls) edits.replace(token, token, 'crdb_sim.version');
    if (named(token, 'has_table_privilege') && calls) edits.replace(token, token, 'crdb_sim.has_table_privilege');
    if (named(token, 'cluster_logical_timestamp') && calls && asOf !== undefined && following) {
      edits.replace(token, following, `crdb_sim.cluster_logical_timestamp(${asOf})`);
    }
    if (named(token, 'information_schema') && signed(tokens[at + 1], '.') && named(following, 'columns') && following) {
      edits.replace(token, following, 'crdb_sim.information_schema_columns');
    }
  });
}
