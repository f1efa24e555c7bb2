/** Something is missing that set-up cannot get; the message is the one line for the person, with the remedy. */
export class SetupProblem extends Error {
  name = 'SetupProblem';
}
