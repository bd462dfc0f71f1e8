import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import type { Target } from '../prober.ts';
import { type Answer, type Ask, ask } from './request.ts';

/** What users do: they look at the pair, list runs, and start runs with and without an Idempotency-Key. */
export type Wish = 'pair' | 'runs' | 'run' | 'run-once';

/** One request and what came of it. */
export interface Sent {
  readonly wish: Wish;
  readonly isKeptAlive: boolean;
  /** Null: sent without an Idempotency-Key. */
  readonly key: string | null;
  readonly answer: Answer;
  /** When it was sent, milliseconds since 1970: to be looked up in the logs. */
  readonly sentAt: number;
  /** From sending to the end of the answer, or to the failure. */
  readonly tookMs: number;
}

export interface LoadOptions {
  readonly perSecond: number;
  /** The addresses that users know; they go on to the next one only where nobody listens. */
  readonly targets: readonly Target[];
  readonly token: string;
  /** Runs are started of this job. */
  readonly job: string;
  /** What they do, in turn. Default: some of all, most of it reading. */
  readonly wishes?: readonly Wish[] | undefined;
  /** How long they wait for an answer. Default: 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Told of each request when it is over. */
  readonly onDone?: (sent: Sent) => void;
}

export interface Load {
  /** Sends nothing more, and waits for the answers that are missing. */
  stop(): Promise<readonly Sent[]>;
}

const TICK_MS = 5;
/** So many users keep a connection of their own; each is idle most of the time. */
const KEPT_CONNECTIONS = 20;
/** Three of four read: what is measured is the change of roles, and not how fast a host starts processes. */
const USUAL_WISHES: readonly Wish[] = [
  'pair',
  'run',
  'runs',
  'pair',
  'runs',
  'run-once',
  'pair',
  'runs',
];

/**
 * Sends requests at an even rate, half of them over connections that are kept, half over new ones. Nothing
 * is tried again: what fails has failed. Every second Idempotency-Key is that of the request before, as from
 * a client that did not wait for the answer.
 */
export function startLoad(options: LoadOptions): Load {
  const { targets, wishes = USUAL_WISHES, timeoutMs, onDone = () => undefined } = options;
  const kept = Array.from({ length: KEPT_CONNECTIONS }, () => new Agent({ keepAlive: true }));
  const startedAt = performance.now();
  const sent: Promise<Sent>[] = [];
  let preferred = 0;
  let lastKey: string | null = null;

  const send = async (index: number): Promise<Sent> => {
    const isKeptAlive = index % 2 === 0;
    const wish = wishes[Math.floor(index / 2) % wishes.length] ?? 'pair';
    const key = wish === 'run-once' ? (lastKey ?? randomUUID()) : null;
    if (wish === 'run-once') lastKey = lastKey === null ? key : null;
    const agent = isKeptAlive ? (kept[(index / 2) % kept.length] ?? false) : false;
    const [sentAt, begun] = [Date.now(), performance.now()];
    const answer = await askAny(askFor(wish, { ...options, key, agent }));
    const tookMs = performance.now() - begun;
    const done = { wish, isKeptAlive, key, answer, sentAt, tookMs };
    onDone(done);
    return done;
  };
  const askAny = async (what: Ask): Promise<Answer> => {
    let answer: Answer = { kind: 'refused', why: 'no address' };
    const first = preferred;
    for (let step = 0; step < targets.length; step += 1) {
      const at = (first + step) % targets.length;
      const target = targets[at];
      if (target === undefined) break;
      answer = await ask(target, what, timeoutMs);
      if (answer.kind === 'refused') continue;
      preferred = at;
      break;
    }
    return answer;
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1_000) * options.perSecond;
    while (sent.length < due) sent.push(send(sent.length));
  }, TICK_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      const all = await Promise.all(sent);
      for (const agent of kept) agent.destroy();
      return all;
    },
  };
}

interface Details {
  readonly token: string;
  readonly job: string;
  readonly key: string | null;
  readonly agent: Agent | false;
}

function askFor(wish: Wish, { token, job, key, agent }: Details): Ask {
  const headers = {
    Authorization: `Bearer ${token}`,
    ...(agent === false ? { Connection: 'close' } : {}),
  };
  switch (wish) {
    case 'pair':
      return { method: 'GET', path: '/api/v1/pair', headers, body: null, agent };
    case 'runs':
      return {
        method: 'GET',
        path: `/api/v1/runs?job=${job}&limit=10`,
        headers,
        body: null,
        agent,
      };
    case 'run':
    case 'run-once':
      return {
        method: 'POST',
        path: `/api/v1/jobs/${job}/runs`,
        headers: {
          ...headers,
          'Content-Type': 'application/json',
          'Content-Length': '2',
          ...(key === null ? {} : { 'Idempotency-Key': key }),
        },
        body: '{}',
        agent,
      };
  }
}
