/**
 * Every failure that a run, an activity or an incident can name. `type` is stable and dotted; the text is what the documentation
 * says. `retryable`: Temporal may try the activity again by itself.
 */
export interface FailureDescription {
  readonly meaning: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

export const FAILURES = {
  'Input.Invalid': {
    meaning: 'The input is not a runbook input.',
    remedy: 'Correct the fields named and start again with the same workflow id. Nothing was touched.',
    retryable: false,
  },
  'Connection.Unknown': {
    meaning: 'The input names a connection that the worker does not know.',
    remedy: 'Set FAILBACK_CONNECTION_<NAME> for the worker, or correct the name.',
    retryable: false,
  },
  'Preflight.Blocked': {
    meaning: 'Preflight found something that would lose or damage rows.',
    remedy: 'Run the statement named with each finding, then start again. Nothing was touched.',
    retryable: false,
  },
  'Source.Unavailable': {
    meaning: 'CockroachDB cannot be reached, or cannot do it now.',
    remedy: 'Check the cluster and the network; it is tried again.',
    retryable: true,
  },
  'Source.Refused': {
    meaning: 'CockroachDB refuses the statement for good.',
    remedy: 'Do what the message names: a privilege, a setting, an option.',
    retryable: false,
  },
  'Source.TableChanged': {
    meaning: 'The source is another cluster than the stream began with, or the name of a table leads to another table.',
    remedy:
      'Put the name or the connection back and signal resume; or roll back, compare both sides, and start a new run. Nothing is applied meanwhile.',
    retryable: false,
  },
  'Source.KeyChanged': {
    meaning:
      'The primary key of a table was altered at the source: a delete says only its key, which now means another row. What was resolved before is applied.',
    remedy:
      'Roll back, compare both sides, and start a new run with the new key on both. A resume goes on only if the key was changed back and nothing was written to the table meanwhile.',
    retryable: false,
  },
  'Target.Unavailable': {
    meaning: 'The target cannot be reached, or cannot do it now.',
    remedy: 'Check the server and the network; it is tried again and nothing is lost meanwhile.',
    retryable: true,
  },
  'Target.Refused': {
    meaning: 'The target refuses for a reason that waiting will not change.',
    remedy: 'Grant what the message names, or correct the connection; then signal resume.',
    retryable: false,
  },
  'Target.SchemaMismatch': {
    meaning: 'The target table lacks what the source now sends.',
    remedy: 'Run the statement that the incident names on the target, then signal resume. Nothing is lost.',
    retryable: false,
  },
  'Target.BadRow': {
    meaning: 'The target will never take this row.',
    remedy:
      'Change the target so that it takes the row (or the row at the source), then signal resume. Nothing is lost.',
    retryable: false,
  },
  'Target.DeadLetters': {
    meaning:
      'The target refuses changes, which are put aside; all else is applied. Its rows of these keys are not those of the source.',
    remedy:
      'See the table dead_letters of the checkpoint schema, change the target so that it takes the rows (or the rows at the source), then signal replayDeadLetters. It ends when none is left.',
    retryable: false,
  },
  'Checkpoint.Missing': {
    meaning: 'The checkpoint row of the stream is gone from the target.',
    remedy: 'Somebody removed it. Roll back, and start a new run with a new cursor after comparing both sides.',
    retryable: false,
  },
  'Checkpoint.TakenOver': {
    meaning: 'A newer attempt of the same stream owns the checkpoint row.',
    remedy: 'None: the newer attempt goes on.',
    retryable: false,
  },
  'Checkpoint.Claimed': {
    meaning: 'Another run already writes to a target table of this one.',
    remedy: 'Finish or roll back the run that the message names first.',
    retryable: false,
  },
  'Cursor.TooOld': {
    meaning:
      'The history after the checkpoint has been garbage collected: rows between it and now cannot be had from a changefeed.',
    remedy: 'A full copy of the tables is needed. Raise gc.ttlseconds before the next run.',
    retryable: false,
  },
  'Changefeed.Refused': {
    meaning: 'CockroachDB refuses to create the changefeed.',
    remedy: 'Do what the message names: a privilege, a setting, an option, a table.',
    retryable: false,
  },
  'Changefeed.JobPaused': {
    meaning: 'The changefeed job is paused, and not by this run.',
    remedy: 'Signal resume when it may go on.',
    retryable: false,
  },
  'Changefeed.JobFailed': {
    meaning: 'The changefeed job has failed.',
    remedy: 'It is created again from the checkpoint; the job error says why it failed.',
    retryable: true,
  },
  'Changefeed.JobGone': {
    meaning: 'The changefeed job was cancelled or is no longer listed.',
    remedy: 'It is created again from the checkpoint.',
    retryable: true,
  },
  'Changefeed.SendsElsewhere': {
    meaning:
      'The stage has come to another host, and the changefeed job still sends to the receiver of the one before.',
    remedy:
      'It is created again from the checkpoint, with the URL of the new host. One advertised URL for all hosts spares this.',
    retryable: true,
  },
  'Changefeed.Stalled': {
    meaning: 'No resolved timestamp has arrived for too long.',
    remedy:
      'See the running status of the job: is the receiver reachable from every node of the cluster? With the intake pull: the log of the worker.',
    retryable: true,
  },
  'Changefeed.PauseTooLong': {
    meaning: 'The changefeed rests for so long that CockroachDB may soon give up the history that a resume needs.',
    remedy: 'Signal resume, or roll back, before the time named has passed.',
    retryable: false,
  },
  'Changefeed.TableTruncated': {
    meaning: 'A table was truncated at the source: its changefeed cannot go past that.',
    remedy: 'Empty the target table at the same point by hand and start a new run, or roll back.',
    retryable: false,
  },
  'Changefeed.TableDropped': {
    meaning: 'A table was dropped at the source.',
    remedy: 'Decide what becomes of the target table; then roll back and start a run without it.',
    retryable: false,
  },
  'Changefeed.LateRows': {
    meaning:
      'The changefeed sent rows that it had never sent, at or before a timestamp that it had called resolved: it broke its word.',
    remedy:
      'Rows whose window was not yet applied are staged and applied. A comparison of both sides, by finish or for a new run, shows whether anything is missing. Then signal resume to acknowledge.',
    retryable: false,
  },
  'Receiver.Unreachable': {
    meaning: 'The receiver cannot be reached by its own advertised URL.',
    remedy: 'Check FAILBACK_RECEIVER_URL, DNS, the firewall, and the names in the certificate.',
    retryable: true,
  },
  'Receiver.InUse': {
    meaning: 'Another changefeed already sends to this receiver and schema.',
    remedy: 'Cancel the job that the message names, or wait for its run to end.',
    retryable: false,
  },
  'Stage.Busy': {
    meaning: 'Another process has the stage folder open, or has opened the stage in its database.',
    remedy:
      'Give each worker a stage folder of its own (FAILBACK_STAGE_DIR). A stage in a database goes to the newer attempt, by itself.',
    retryable: true,
  },
  'Stage.Unavailable': {
    meaning: 'What holds the stage, a database or the disk of the worker, cannot be reached, or cannot do it now.',
    remedy:
      'Check the server, the network, the disk and what the message names; it is tried again. CockroachDB keeps what is not staged, and nothing is lost meanwhile.',
    retryable: true,
  },
  'Stage.OnlyCopy': {
    meaning:
      'The checkpoint is older than half of gc.ttlseconds and nothing protects history: soon the stage is the only copy of what is not applied.',
    remedy:
      'See why the target is behind. Keep the stage’s disk, raise gc.ttlseconds of the table named, or grant REPLICATION where the version can protect history. It ends by itself.',
    retryable: false,
  },
  'Stage.Full': {
    meaning: 'The disk of the stage has no room.',
    remedy: 'Free space; CockroachDB keeps the rows and sends them again.',
    retryable: true,
  },
  'Stage.OverBudget': {
    meaning:
      'What the source has not resolved yet does not fit the budget of the stage: it is overrun, up to its reserve.',
    remedy:
      'Raise FAILBACK_STAGE_BUDGET above the size named and restart the worker; the disk must have the room. See why no resolved timestamp comes. It ends by itself once there is room.',
    retryable: false,
  },
  'Forward.StillRunning': {
    meaning: 'The forward replicator still answers after it was stopped.',
    remedy: 'Stop it (SIGTERM), then signal forwardStopped.',
    retryable: false,
  },
  'Forward.StopFailed': {
    meaning: 'The command that stops the forward replicator failed.',
    remedy: 'Stop it by hand, then signal forwardStopped.',
    retryable: false,
  },
  'Drain.TooLong': {
    meaning: 'Forward replication has not drained within the limit.',
    remedy: 'See why rows still move, or whether its endpoint answers; the runbook goes on waiting.',
    retryable: false,
  },
  'Approval.Awaited': {
    meaning: 'A gate waits for a person for too long.',
    remedy: 'Signal approve with the gate named, or rollback.',
    retryable: false,
  },
  'Lag.TooHigh': {
    meaning: 'The target is further behind than the limit.',
    remedy: 'See rows received and applied: is the target slow, or the changefeed?',
    retryable: false,
  },
  'Verify.RowsDiffer': {
    meaning: 'The rows of both sides differ at the same timestamp.',
    remedy: 'The report names the keys. Replication goes on; find out who else writes to the target.',
    retryable: false,
  },
  'Verify.NotAtTimestamp': {
    meaning: 'The target does not stand at the timestamp at which both sides were to be compared.',
    remedy:
      'Signal finish again. Replication goes on; should it come again, find out who else writes to the checkpoint.',
    retryable: false,
  },
  'Verify.SourceStillWrites': {
    meaning: 'The source has changes newer than the timestamp of the finish.',
    remedy: 'Stop the application, then signal finish again. Replication goes on.',
    retryable: false,
  },
  'Host.Lost': {
    meaning: 'The worker that ran the receiver is gone.',
    remedy: 'Another attempt is started by itself, on the same host first.',
    retryable: true,
  },
  'Internal.Defect': {
    meaning: 'Something happened that the program does not expect.',
    remedy: 'Please report it with the message.',
    retryable: true,
  },
} as const satisfies Record<string, FailureDescription>;

export type FailureType = keyof typeof FAILURES;

export function isFailureType(text: string): text is FailureType {
  return Object.hasOwn(FAILURES, text);
}
