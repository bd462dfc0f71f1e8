import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What a user of a test is told, as JSON in its only argument. */
export interface UserOrders {
  readonly url: string;
  readonly token: string;
  /** The job of which it submits runs. */
  readonly job: string;
  /** So often it begins a request, whatever became of those before. */
  readonly everyMs: number;
  /** Whether it uses a connection for one request after the other. */
  readonly keepsConnections: boolean;
  readonly history: string;
}

/** A request of such a user, and what became of it. Instants are nanoseconds of the monotonic clock, as text. */
export interface UserRequest {
  readonly sentAt: string;
  readonly doneAt: string;
  readonly status: number | null;
  readonly node: string | null;
  readonly run: string | null;
  /** Of each try that broke: it is repeated once, with the same key. */
  readonly errors: readonly string[];
}

const TRY_WITHIN_MS = 10_000;
/** A connection is used again only so soon: later, a server may be about to close it. */
const KEEP_FOR_MS = 1_000;

/**
 * A user of the pair on another host, as a process: submits runs under one address for as long as he lives, and
 * writes down each request when it is over. Like any careful user he repeats what broke, once.
 */
async function use(orders: UserOrders): Promise<void> {
  const agent = new Agent({ keepAlive: orders.keepsConnections, timeout: KEEP_FOR_MS });
  for (;;) {
    void submit(orders, agent).then((done) => {
      appendFileSync(orders.history, `${JSON.stringify(done)}\n`);
    });
    await delay(orders.everyMs);
  }
}

async function submit(orders: UserOrders, agent: Agent): Promise<UserRequest> {
  const key = randomUUID();
  const sentAt = `${process.hrtime.bigint()}`;
  const errors: string[] = [];
  for (;;) {
    const answer = await ask(orders, agent, key);
    if (typeof answer === 'string') errors.push(answer);
    if (typeof answer === 'string' && errors.length < 2) continue;
    const { status, node, run } =
      typeof answer === 'string' ? { status: null, node: null, run: null } : answer;
    return { sentAt, doneAt: `${process.hrtime.bigint()}`, status, node, run, errors };
  }
}

interface Answered {
  readonly status: number;
  readonly node: string | null;
  readonly run: string | null;
}

/** One try; a text says how it broke. */
function ask(
  { url, token, job }: UserOrders,
  agent: Agent,
  key: string,
): Promise<Answered | string> {
  return new Promise((resolve) => {
    const body = JSON.stringify({ parameters: { LASTS: '0.05' } });
    const sent = request(`${url}/api/v1/jobs/${job}/runs`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'content-length': body.length,
        'idempotency-key': key,
      },
      signal: AbortSignal.timeout(TRY_WITHIN_MS),
    });
    sent.on('error', (error) => resolve(error.message));
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => {
        const node = response.headers['understudy-node'];
        resolve({
          status: response.statusCode ?? 0,
          node: typeof node === 'string' ? node : null,
          run: runOf(Buffer.concat(chunks).toString('utf8')),
        });
      });
    });
    sent.end(body);
  });
}

function runOf(text: string): string | null {
  try {
    return (JSON.parse(text) as { id?: string }).id ?? null;
  } catch {
    return null;
  }
}

await use(JSON.parse(process.argv[2] ?? '') as UserOrders);
