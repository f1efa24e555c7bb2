import { Context } from '@temporalio/activity';
import { ensureChangefeed } from '../cockroach/ensure-changefeed.js';
import { CockroachError } from '../cockroach/errors.js';
import { readOrigin } from '../cockroach/identity.js';
import { cancelAll, cancelLower, pauseJob, resumeJob } from '../cockroach/job-control.js';
import { findForeignFeeds, isWanted, listStreamJobs } from '../cockroach/jobs.js';
import { buildSinkUrl } from '../cockroach/sink-url.js';
import type { ListeningWord } from '../domain/attempt.js';
import { mergeChangefeedOptions } from '../domain/changefeed-options.js';
import { parseHlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import { receiverAddress } from '../domain/receiver-address.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import { findOriginChange, SourceChangedError } from '../domain/source-identity.js';
import type { StreamPlan } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import { CataloguedError, translate, translated } from './failure-translation.js';
import { shutdownSignal } from './liveness.js';
import { pause } from './pause.js';
import { recallRun, rememberRun } from './run-memory.js';

export interface SinkSecrets {
  /** PEM texts and token that CockroachDB is given. Read when needed, never kept in an argument or a result. */
  read(): Promise<{
    readonly tls: { readonly caCert?: string; readonly clientCert?: string; readonly clientKey?: string };
    readonly token: string | null;
  }>;
}

export interface ChangefeedWish {
  readonly place: Place;
  readonly stream: string;
  readonly word: ListeningWord;
  readonly plan: StreamPlan;
  readonly sinkPath: readonly string[];
  readonly options: RunbookInput['changefeed'];
  readonly createTimeoutMs: number;
}

const LOOK_AGAIN_MS = 500;

/** Activities about the changefeed job of a stream. */
export function createChangefeedActivities(access: Access, secrets: SinkSecrets) {
  return translated({
    /**
     * Exactly one live job of the incarnation, running; then none of lower ones (protocol rules 6 and D, steps 4 and 5).
     */
    async ensureChangefeed(
      wish: ChangefeedWish,
    ): Promise<{ jobId: string; status: string; created: boolean; cancelled: readonly string[] }> {
      const { place, stream, word } = wish;
      const signal = shutdownSignal(Context.current());
      const at = { ...receiverAddress(word.receiverUrl), path: wish.sinkPath };
      const { tls, token } = await secrets.read();
      const tables = wish.plan.map((table) => table.source);
      await withStore(access, place, async (store) => {
        const row = await store.read(stream);
        if (row === null)
          throw new CataloguedError('Checkpoint.Missing', `the checkpoint row of stream ${stream} is gone`);
        // The attempt looks too, but it begins also while the source cannot be asked; no changefeed is made on another one (protocol rule 9).
        const now = await withSource(access, place, (source) => readOrigin(source, tables, { signal }));
        const other = findOriginChange(row.origin, now);
        if (other !== null) throw new SourceChangedError('Source.TableChanged', other);
        // Recorded before the jobs are cancelled: whoever comes late must not create one again (protocol rule 6).
        if (!row.feedWanted)
          throw new CataloguedError('Changefeed.Refused', `no changefeed is wanted for stream ${stream} any more`);
        await rememberRun(store, place.run, 'changefeed', { creating: true });
      });
      const settleCreate = async (): Promise<void> => {
        await withStore(access, place, (store) => rememberRun(store, place.run, 'replicate', { creating: false }));
      };
      const answer = await withSource(access, place, async (source) => {
        const [foreign] = await findForeignFeeds(source, at, stream);
        if (foreign)
          throw new CataloguedError(
            'Receiver.InUse',
            `changefeed job ${foreign.jobId} already sends to ${at.host}:${at.port}/${at.path.join('/')}: cancel it first`,
          );
        const ensured = await ensureChangefeed(
          source,
          {
            stream,
            incarnation: word.incarnation,
            tables,
            sinkUrl: buildSinkUrl({ ...at, stream, incarnation: word.incarnation, tls }),
            cursor: parseHlc(word.cursor),
            options: mergeChangefeedOptions(wish.options),
            ...(token === null ? {} : { authHeader: `Bearer ${token}` }),
            createTimeoutMs: wish.createTimeoutMs,
          },
          { signal },
        );
        const job = await resumeJob(source, ensured.jobId, { signal });
        const lower = await cancelLower(source, { stream, incarnation: word.incarnation }, { signal });
        return {
          jobId: ensured.jobId,
          status: job.status,
          created: ensured.created,
          cancelled: [...ensured.cancelled, ...lower],
        };
      }).catch(async (error: unknown) => {
        // A refusal is an answer: nothing of this CREATE can still commit.
        const refused = error instanceof CataloguedError || (error instanceof CockroachError && !error.retryable);
        if (refused) await settleCreate();
        throw error;
      });
      await settleCreate();
      return answer;
    },

    /** Records whether a changefeed is wanted, where the attempt that reads one looks for it (protocol rule 6). */
    async wantFeed({
      place,
      stream,
      wanted,
    }: {
      place: Place;
      stream: string;
      wanted: boolean;
    }): Promise<Record<string, never>> {
      await withStore(access, place, (store) => store.setFeedWanted(stream, wanted));
      return {};
    },

    /** Pauses every job of the stream that could deliver. CockroachDB keeps the history meanwhile. */
    async pauseChangefeed({ place, stream }: { place: Place; stream: string }): Promise<{ paused: readonly string[] }> {
      const signal = shutdownSignal(Context.current());
      return withSource(access, place, async (source) => {
        const jobs = (await listStreamJobs(source, stream, signal)).filter(isWanted);
        for (const job of jobs) await pauseJob(source, job.jobId, { signal });
        return { paused: jobs.map((job) => job.jobId) };
      });
    },

    /**
     * Cancels every job of the stream, and waits until none is left. That none is wanted is recorded first (protocol rule 6).
     * @param settleMs how long a CREATE whose answer is not known is looked for: it may still commit
     */
    async cancelChangefeeds({
      place,
      stream,
      settleMs,
    }: {
      place: Place;
      stream: string;
      settleMs: number;
    }): Promise<string | null> {
      const context = Context.current();
      const signal = context.cancellationSignal;
      const mayStillCommit = await withStore(access, place, async (store) => {
        if (await store.read(stream)) await store.setFeedWanted(stream, false);
        return (await recallRun(store, place.run))?.creating ?? false;
      }).catch((error: unknown) => {
        // The target may be down; the jobs are at the source and must end all the same.
        context.log.warn('could not record that no changefeed is wanted', { error: translate(error).message });
        return true;
      });
      return withSource(access, place, async (source) => {
        const cancelled = new Set<string>();
        const until = performance.now() + (mayStillCommit ? settleMs : 0);
        for (;;) {
          for (const jobId of await cancelAll(source, { stream }, { signal })) cancelled.add(jobId);
          if (performance.now() >= until) break;
          context.heartbeat({
            cancelled: [...cancelled],
            waiting: 'a CREATE CHANGEFEED whose answer was lost may still commit',
          });
          await pause(LOOK_AGAIN_MS, signal);
        }
        return cancelled.size === 0 ? null : `changefeed job ${[...cancelled].join(', ')} is cancelled`;
      });
    },
  });
}
