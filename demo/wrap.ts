/** Breaks lines between words so that none is longer than `width`; what follows keeps the line's indentation. A longer word stays whole. Pure. */
export function wrap(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');
}

function wrapLine(line: string, width: number): string[] {
  const start = /^\s*(?:- )?/.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let current = start;
  let bare = true;
  for (const word of line.slice(start.length).split(' ')) {
    if (!bare && current.length + 1 + word.length > width) {
      lines.push(current);
      current = ' '.repeat(start.length);
      bare = true;
    }
    current += bare ? word : ` ${word}`;
    bare = false;
  }
  return [...lines, current];
}
