/** Titles of the tests in a source text, as patterns: what a template inserts may be anything. */
export function testTitles(source: string): readonly RegExp[] {
  const calls = source.matchAll(/\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1)[\s\S])*)\1/g);
  return [...calls].map(([, quote, title = '']) => {
    const parts = quote === '`' ? title.split(/\$\{[^}]*\}/) : [title];
    return new RegExp(`^${parts.map((part) => escapeRegExp(part.replace(/\\(.)/g, '$1'))).join('.*')}$`, 's');
  });
}

export function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
