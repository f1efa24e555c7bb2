import type { FailureType } from './failures.js';

/** Something wrong, with a start, an end, a cause and a remedy. Times are milliseconds since 1970, of the workflow's clock. */
export interface Incident {
  readonly type: FailureType;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly cause: string;
  readonly remedy: string;
}

/** What a stream says of an incident: one of a type is open at a time. */
export type IncidentWord =
  | { readonly type: FailureType; readonly open: true; readonly cause: string; readonly remedy?: string }
  | { readonly type: FailureType; readonly open: false };

/** Ended incidents kept in the status; older ones are in the history. */
const ENDED_KEPT = 20;

/** Opens, updates or closes. Pure: the time is an input. Returns the same list when nothing changes. */
export function applyIncidentWord(
  incidents: readonly Incident[],
  word: IncidentWord,
  nowMs: number,
  remedyOf: (type: FailureType) => string,
): readonly Incident[] {
  const open = incidents.find((incident) => incident.type === word.type && incident.endedAt === null);
  if (!word.open) {
    if (!open) return incidents;
    return trim(incidents.map((incident) => (incident === open ? { ...open, endedAt: nowMs } : incident)));
  }
  const cause = word.cause;
  const remedy = word.remedy ?? remedyOf(word.type);
  if (open) {
    if (open.cause === cause && open.remedy === remedy) return incidents;
    return incidents.map((incident) => (incident === open ? { ...open, cause, remedy } : incident));
  }
  return [...incidents, { type: word.type, startedAt: nowMs, endedAt: null, cause, remedy }];
}

export function openIncidents(incidents: readonly Incident[]): readonly Incident[] {
  return incidents.filter((incident) => incident.endedAt === null);
}

function trim(incidents: readonly Incident[]): readonly Incident[] {
  const surplus = incidents.filter((incident) => incident.endedAt !== null).length - ENDED_KEPT;
  if (surplus <= 0) return incidents;
  let toDrop = surplus;
  return incidents.filter((incident) => incident.endedAt === null || toDrop-- <= 0);
}
