import { mergeEvents, type PairEvent, pairEventsSchema } from '@understudy/shared/protocol/events';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { callHeartbeat, nobodyAnswered } from './heartbeat-api.ts';

/** What all heartbeats that answer know of the past. */
export interface PairHistory {
  /** Oldest first. */
  readonly events: readonly PairEvent[];
  /** What the reader should know of gaps: who was silent, what is missing. */
  readonly notes: readonly string[];
}

// Above the time that a heartbeat waits for the database.
const TIMEOUT_MS = 5_000;

/**
 * Asks all heartbeats of the pair and puts their answers together: while the database is away, each
 * knows its own part only. Throws `UserError` when none answers.
 */
export async function readHistory(
  { heartbeat, token }: Pick<ControllerHostConfig, 'heartbeat' | 'token'>,
  limit: number,
): Promise<PairHistory> {
  const urls = [heartbeat.url, ...heartbeat.peers];
  const answers = await Promise.all(
    urls.map((url) =>
      callHeartbeat(url, token, pairEventsSchema, {
        method: 'GET',
        path: '/events',
        query: { limit },
        timeoutMs: TIMEOUT_MS,
      }),
    ),
  );
  const heard = answers.flatMap((each) => (each.kind === 'answered' ? [each.body] : []));
  if (heard.length === 0) throw nobodyAnswered(answers);
  const notes = answers.flatMap((each) => {
    if (each.kind === 'silent') return [`${each.url} does not answer: ${each.why}`];
    if (each.kind === 'refused') return [`${each.url} refuses: ${each.reason}`];
    const found: string[] = [];
    if (each.body.problem !== null) {
      found.push(`${each.url} has only its own events, the database fails: ${each.body.problem}`);
    }
    if (each.body.dropped > 0) found.push(`${each.url} lost ${each.body.dropped} events`);
    return found;
  });
  return { events: mergeEvents(...heard.map((page) => page.items)).slice(-limit), notes };
}
