/** One line of progress. */
export function say(line) {
  process.stdout.write(`set-up: ${line}\n`);
}
