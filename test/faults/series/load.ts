import { setTimeout as delay } from 'node:timers/promises';
import type { Run } from '@understudy/shared/protocol/api';
import type { Dice } from '../../sim/kernel/dice.ts';
import type { Client } from '../../support/cluster/client.ts';
import type { ClientRequest } from '../../support/invariants/clients.ts';
import type { TestJob } from '../jobs.ts';

/** Requests a second, of which so many submit a run with an Idempotency-Key, or without. */
const RATE = 50;
const KEYED_SHARE = 0.2;
const UNKEYED_SHARE = 0.1;
/** A request with a key is repeated until it is answered; far longer than any fault lasts. */
const REPEAT_EVERY_MS = 200;

/** What users of the pair did, and what came of it. */
export interface Load {
  readonly requests: readonly ClientRequest[];
  /** The run of each key that was answered. */
  readonly keyed: ReadonlyMap<string, string>;
  /** Runs of answered requests without a key. */
  readonly unkeyed: readonly string[];
  /** Requests without a key that were sent at all. */
  readonly unkeyedSent: number;
  /** Sends no more, and waits until every request with a key was answered. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly client: Client;
  /** Where users reach the pair. */
  readonly front: string;
  /** The controllers themselves: reads go there as well, so that one that should be silent is heard. */
  readonly controllers: readonly string[];
  readonly dice: Dice;
}

/** Asks the pair without end, whatever happens to it. */
export function startLoad({ client, front, controllers, dice }: LoadOptions): Load {
  const requests: ClientRequest[] = [];
  const keyed = new Map<string, string>();
  const unkeyed: string[] = [];
  const stopped = new AbortController();
  const underWay = new Set<Promise<void>>();
  let count = 0;
  let unkeyedSent = 0;

  const submit = async (key: string | null): Promise<Run | null> => {
    const job: TestJob = dice.next() < 0.5 ? 'once' : 'again';
    const body = { parameters: { LASTS: dice.between(0.02, 0.4).toFixed(2) } };
    const headers = key === null ? {} : { 'idempotency-key': key };
    const path = `/api/v1/jobs/${job}/runs`;
    const tries: ('answered' | 'refused' | 'broken')[] = [];
    requests.push({ request: `POST ${path} ${key ?? 'without a key'}`, tries });
    for (;;) {
      const answer = await client.ask(front, 'POST', path, { body, headers });
      const isAnswered = answer !== null && answer.status < 300;
      tries.push(isAnswered ? 'answered' : answer === null ? 'broken' : 'refused');
      if (isAnswered) return answer.body as Run;
      if (key === null) return null;
      await delay(REPEAT_EVERY_MS);
    }
  };

  const once = async (): Promise<void> => {
    const what = dice.next();
    count += 1;
    if (what < KEYED_SHARE) {
      const key = `key-${count}`;
      const run = await submit(key);
      if (run !== null) keyed.set(key, run.id);
    } else if (what < KEYED_SHARE + UNKEYED_SHARE) {
      unkeyedSent += 1;
      const run = await submit(null);
      if (run !== null) unkeyed.push(run.id);
    } else {
      await client.ask(dice.pick([front, ...controllers]), 'GET', '/api/v1/pair');
    }
  };

  const send = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const request = once();
      underWay.add(request);
      void request.finally(() => underWay.delete(request));
      await delay(1_000 / RATE, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const sending = send();
  return {
    requests,
    keyed,
    unkeyed,
    get unkeyedSent() {
      return unkeyedSent;
    },
    stop: async () => {
      stopped.abort();
      await sending;
      await Promise.all(underWay);
    },
  };
}
