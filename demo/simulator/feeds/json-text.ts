/** `compact` is the body of a webhook request, `spaced` the row of a changefeed without a sink. */
export type JsonStyle = 'compact' | 'spaced';

export interface Punctuation {
  readonly comma: string;
  readonly colon: string;
}

export const PUNCTUATION: Record<JsonStyle, Punctuation> = {
  compact: { comma: ',', colon: ':' },
  spaced: { comma: ', ', colon: ': ' },
};

// eslint-disable-next-line no-control-regex
const SPECIAL = /["\\\u0000-\u001f<>&\u2028\u2029]/;
const HTML = /[<>&\u2028\u2029]/g;

/** A JSON string as Go writes it: no `\b` and `\f`; in a webhook body `<`, `>`, `&`, U+2028 and U+2029 are escaped too. */
export function jsonString(text: string, style: JsonStyle): string {
  if (!SPECIAL.test(text)) return `"${text}"`;
  const quoted = withoutShortEscapes(JSON.stringify(text));
  if (style === 'spaced') return quoted;
  return quoted.replace(HTML, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Matches whole escapes, so that the text backslash-b (`\\b` in JSON) is left alone. */
function withoutShortEscapes(quoted: string): string {
  return quoted.replace(/\\([\\bf])/g, (escape, letter) =>
    letter === 'b' ? '\\u0008' : letter === 'f' ? '\\u000c' : escape,
  );
}
