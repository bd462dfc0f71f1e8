import { setTimeout as pause } from 'node:timers/promises';
import { HttpConnection } from '@understudy/scripts/bench/work/http-connection';
import type { Run } from '@understudy/shared/protocol/api';
import type { Dice } from '../../sim/kernel/dice.ts';
import type { Served } from '../../support/invariants/service.ts';
import type { Accepted, Asked } from './history.ts';
import type { Amount, WorkName } from './work.ts';

export interface StormLoadOptions {
  /** Runs a second. */
  readonly rate: number;
  readonly front: number;
  /** Ports of the controllers, of which at most one is open but in a switch-over. */
  readonly controllers: readonly number[];
  readonly token: string;
  readonly dice: Dice;
  /** Called with each run that was accepted. */
  readonly onAccepted: (accepted: Accepted) => void;
}

/** What users asked for, and what they were told. */
export interface StormLoad {
  readonly asked: readonly Asked[];
  readonly accepted: readonly Accepted[];
  readonly served: readonly Served[];
  /** What no user should ever be told. */
  readonly complaints: readonly string[];
  /** Asks for nothing new, and waits until every request with a key was answered. */
  stop(): Promise<void>;
}

/** Of all runs so many carry an Idempotency-Key; of all so many are programs of their own. */
const KEYED_SHARE = 0.7;
const COMMAND_SHARE = 0.04;
/** So many go on for longer than a fail-over takes. */
const LONG_SHARE = 0.01;
const ANSWER_WITHIN_MS = 3_000;
const REPEAT_AFTER_MS = 700;
/**
 * Requests of so many seconds are under way at once, and no more: those who wait for an answer ask for nothing new.
 * The links of the cluster run in this process, which must not be what stands between a host and its database.
 */
const MOST_OPEN_S = 2;
const TICK_MS = 10;

/**
 * Asks for runs at a steady rate, whatever happens. A request with a key is repeated until it is answered,
 * anywhere; one without is sent once.
 */
export function startStormLoad(options: StormLoadOptions): StormLoad {
  const { rate, front, controllers, dice } = options;
  const asked: Asked[] = [];
  const accepted: Accepted[] = [];
  const served: Served[] = [];
  const complaints: string[] = [];
  const stopped = new AbortController();
  const underWay = new Set<Promise<void>>();
  const users = new Users(options.token);
  let known = front;

  const submit = async (one: Asked): Promise<void> => {
    for (let port = one.isKeyed ? dice.pick([front, front, ...controllers]) : known; ; ) {
      const answer = await users.ask(port, one);
      if (answer !== null && answer.status < 300) {
        if (controllers.includes(port)) known = dice.pick([front, port]);
        served.push(answer.served);
        const run = (JSON.parse(answer.body) as Run).id;
        accepted.push({ ...one, run, atMs: performance.now() });
        options.onAccepted({ ...one, run, atMs: performance.now() });
        return;
      }
      known = front;
      if (answer !== null && answer.status < 500) {
        complaints.push(`${one.ticket} was answered ${answer.status}: ${answer.body}`);
        return;
      }
      if (!one.isKeyed) return;
      await pause(REPEAT_AFTER_MS * (0.5 + dice.next()));
      port = dice.pick([front, ...controllers]);
    }
  };

  const send = async (): Promise<void> => {
    const begunAt = performance.now();
    for (let count = 0; !stopped.signal.aborted; ) {
      const due = ((performance.now() - begunAt) / 1_000) * rate;
      for (; count < due; count += 1) {
        if (underWay.size >= MOST_OPEN_S * rate) continue;
        const one = draw(dice, `ticket-${asked.length}`);
        asked.push(one);
        const request = submit(one);
        underWay.add(request);
        void request.finally(() => underWay.delete(request));
      }
      await pause(TICK_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const sending = send();
  return {
    ...{ asked, accepted, served, complaints },
    stop: async () => {
      stopped.abort();
      await sending;
      await Promise.all(underWay);
      users.close();
    },
  };
}

function draw(dice: Dice, ticket: string): Asked {
  const kind = dice.chance(COMMAND_SHARE) ? 'command' : 'module';
  const job: WorkName = `${kind}-${dice.chance(0.5) ? 'once' : 'again'}`;
  const isLong = dice.chance(LONG_SHARE);
  const lines = isLong ? 30 + dice.below(50) : 1 + dice.below(10);
  const every = isLong ? dice.between(0.3, 0.5) : dice.between(0.02, 0.2);
  return { ticket, job, isKeyed: dice.chance(KEYED_SHARE), lines, everyS: every };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly served: Served;
}

/** Keeps connections, as the clients of a busy pair do. */
class Users {
  readonly #token: string;
  readonly #idle = new Map<number, HttpConnection[]>();

  constructor(token: string) {
    this.#token = token;
  }

  /** One request to one port. Null: nobody knows what came of it. */
  async ask(port: number, { ticket, job, isKeyed, lines, everyS }: Asked): Promise<Answer | null> {
    const idle = this.#idle.get(port) ?? [];
    this.#idle.set(port, idle);
    const connection = idle.pop() ?? new HttpConnection(port, this.#token);
    const amount: Amount = { LINES: `${lines}`, EVERY: everyS.toFixed(3) };
    const sentAt = process.hrtime.bigint();
    const limit = setTimeout(() => connection.close(), ANSWER_WITHIN_MS);
    try {
      const { status, headers, body } = await connection.request({
        method: 'POST',
        path: `/api/v1/jobs/${job}/runs`,
        headers: isKeyed ? { 'Idempotency-Key': ticket } : {},
        body: JSON.stringify({ parameters: { ...amount, TICKET: ticket } }),
      });
      idle.push(connection);
      const node = headerOf(headers, 'understudy-node');
      const term = BigInt(headerOf(headers, 'understudy-term') || 0);
      const served = { node, term, sentAt, receivedAt: process.hrtime.bigint() };
      return { status, body, served };
    } catch {
      connection.close();
      return null;
    } finally {
      clearTimeout(limit);
    }
  }

  close(): void {
    for (const connection of [...this.#idle.values()].flat()) connection.close();
  }
}

function headerOf(headers: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(headers)?.[1]?.trim() ?? '';
}
