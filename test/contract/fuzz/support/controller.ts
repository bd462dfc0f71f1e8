import type { ExecutionContext } from 'ava';
import { Bench, type startStore, TOKEN } from '../../controller/bench.ts';

type Store = Awaited<ReturnType<typeof startStore>>;

export const goodJob = {
  name: 'keeper',
  command: ['true'],
  env: { A: '1' },
  schedule: { cron: '0 0 1 1 *', timezone: 'UTC' },
  selector: { zone: 'nowhere' },
  delivery: 'at-least-once',
  retries: { limit: 1, delay: '1s', backoff: 2 },
  timeout: '10s',
  overlap: 'skip',
  catchUp: 'none',
  priority: 1,
  paused: false,
  description: 'stays as it is',
} as const;

/** A serving controller with one job and one run in it, which must outlast whatever is sent to it. */
export async function servingController(t: ExecutionContext, store: Store): Promise<Target> {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n);
  const trust = setInterval(() => {
    const trustedUntilNs = `${process.hrtime.bigint() + 120_000_000_000n}`;
    if (bench.child.connected)
      bench.tell({ type: 'extend', tenure: { term: '5', trustedUntilNs } });
  }, 10_000);
  t.teardown(() => clearInterval(trust));
  await bench.ask('PUT', '/api/v1/jobs/keeper', goodJob);
  const { body } = await bench.ask('POST', '/api/v1/jobs/keeper/runs', { parameters: { B: '2' } });
  const { id } = body as { id: string };
  return new Target(bench, id);
}

export class Target {
  readonly bench: Bench;
  readonly run: string;
  readonly port: number;
  #before: unknown;

  constructor(bench: Bench, run: string) {
    this.bench = bench;
    this.run = run;
    this.port = Number(new URL(bench.url).port);
  }

  /** What must be the same in the end. */
  async remember(): Promise<void> {
    this.#before = await this.#kept();
  }

  /** The process lives, a good request works, and nothing was lost or changed. */
  async judge(t: ExecutionContext): Promise<void> {
    t.deepEqual(await this.#kept(), this.#before);
    t.is(this.bench.child.exitCode, null);
    t.is(this.bench.child.signalCode, null);
    const { status } = await this.bench.ask('PUT', '/api/v1/jobs/after', { command: ['true'] });
    t.true(status === 200 || status === 201);
  }

  async #kept(): Promise<unknown> {
    const job = await this.bench.ask('GET', '/api/v1/jobs/keeper');
    const run = await this.bench.ask('GET', `/api/v1/runs/${this.run}`);
    return [job.body, run.body];
  }
}

export const authorized = { Authorization: `Bearer ${TOKEN}` };
