import type { Incident } from '../src/domain/incident.js';

/** Says of each incident once that it is there, and once that it is over. */
export function createIncidentTeller(say: (line: string) => void): (incidents: readonly Incident[]) => void {
  const told = new Set<string>();
  const once = (key: string, line: string): void => {
    if (told.has(key)) return;
    told.add(key);
    say(line);
  };
  return (incidents) => {
    for (const { type, cause, startedAt, endedAt } of incidents) {
      once(`${type} ${startedAt}`, `incident ${type}: ${cause}`);
      if (endedAt !== null) once(`${type} ${startedAt} over`, `incident ${type} is over`);
    }
  };
}
