import { randomUUID } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { request as requestSecure, Agent as SecureAgent } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../cluster.ts';
import type { Served } from '../invariants/service.ts';

/** A read, a write with a key by which it is known again, and one without. */
export type AskedKind = 'read' | 'keyed' | 'plain';

/** What came of one request. */
export interface Asked {
  readonly kind: AskedKind;
  /** Null: there was no answer. */
  readonly status: number | null;
  /** The answer, or why there was none. */
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
  /** Who answered, if it was a controller and a success. */
  readonly served: Served | null;
}

export interface UsersOptions {
  readonly url: string;
  readonly token: string;
  /** Whether they keep their connections, as browsers do, or take one for each request. */
  readonly keepAlive?: boolean;
  /** Over TLS: whose signature they trust. */
  readonly ca?: string | undefined;
}

const WITHIN_MS = 30_000;
/** A job whose runs no agent may take: writes that start nothing. */
const SHELF = 'shelf';
const KINDS: readonly AskedKind[] = ['read', 'keyed', 'read', 'plain'];

/** Makes the job that these users run. */
export async function putShelf(cluster: Cluster): Promise<void> {
  const selector = { shelf: 'nowhere' };
  await cluster.client.putJob({ name: SHELF, command: ['true'], selector, overlap: 'allow' });
}

/** The ids of all runs that users have made. */
export async function runsOnShelf(cluster: Cluster): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const path = `/api/v1/runs?job=${SHELF}&limit=1000${after === '' ? '' : `&after=${after}`}`;
    const page = (await cluster.client.request('GET', path)) as {
      items: { id: string }[];
      next: string | null;
    };
    ids.push(...page.items.map(({ id }) => id));
    if (page.next === null) return ids;
    after = page.next;
  }
}

/** Users of one URL, who wait for long and never ask twice. */
export class Users {
  readonly #options: UsersOptions;
  readonly #agent: Agent;

  constructor(options: UsersOptions) {
    this.#options = options;
    const keepAlive = options.keepAlive === true;
    const { ca } = options;
    this.#agent = ca === undefined ? new Agent({ keepAlive }) : new SecureAgent({ keepAlive, ca });
  }

  /** Asks so many times a second, reads and writes in turn, until it is told to stop; then all that was asked. */
  start(perSecond: number): { stop(): Promise<readonly Asked[]> } {
    const asked: Promise<Asked>[] = [];
    let isOver = false;
    const asking = (async () => {
      for (let n = 0; !isOver; n += 1) {
        asked.push(this.ask(KINDS[n % KINDS.length] ?? 'read'));
        await pause(1_000 / perSecond);
      }
    })();
    return {
      stop: async () => {
        isOver = true;
        await asking;
        return await Promise.all(asked);
      },
    };
  }

  /** One request. Never rejects. */
  ask(kind: AskedKind, key: string = randomUUID()): Promise<Asked> {
    const sentAt = process.hrtime.bigint();
    const isRead = kind === 'read';
    const headers = {
      authorization: `Bearer ${this.#options.token}`,
      'content-type': 'application/json',
      ...(kind === 'keyed' ? { 'idempotency-key': key } : {}),
    };
    return new Promise((resolve) => {
      const fail = (error: Error) =>
        resolve({ kind, status: null, text: error.message, headers: {}, served: null });
      const path = isRead ? '/api/v1/pair' : `/api/v1/jobs/${SHELF}/runs`;
      const method = isRead ? 'GET' : 'POST';
      const send = this.#options.ca === undefined ? request : requestSecure;
      const asking = send(this.#options.url + path, { method, headers, agent: this.#agent });
      asking.setTimeout(WITHIN_MS, () => asking.destroy(new Error(`waited ${WITHIN_MS} ms`)));
      asking.once('error', fail);
      asking.once('response', (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.once('error', fail);
        answer.once('end', () => {
          const text = Buffer.concat(pieces).toString();
          const status = answer.statusCode ?? null;
          const served = servedBy(answer, sentAt);
          resolve({ kind, status, text, headers: answer.headers, served });
        });
      });
      asking.end(isRead ? undefined : '{}');
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Those that did not get what they asked for, told in a line each. */
export function failedOf(asked: readonly Asked[]): string[] {
  return asked
    .filter(({ status }) => status === null || status >= 300)
    .map(({ kind, status, text }) => `${kind}: ${status} ${text}`);
}

/** The id of the run that was made. */
export function runIn({ text }: Asked): string {
  return (JSON.parse(text) as { id: string }).id;
}

function servedBy({ statusCode = 0, headers }: IncomingMessage, sentAt: bigint): Served | null {
  const { 'understudy-node': node, 'understudy-term': term } = headers;
  if (statusCode >= 300 || typeof node !== 'string' || typeof term !== 'string') return null;
  return { node, term: BigInt(term), sentAt, receivedAt: process.hrtime.bigint() };
}
