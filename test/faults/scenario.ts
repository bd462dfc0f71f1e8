import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '@understudy/shared/protocol/api';
import type { ExecutionContext, TestFn } from 'ava';
import { controllerUrl } from '../support/cluster/configs.ts';
import { eventually } from '../support/cluster/eventually.ts';
import type { Owner } from '../support/cluster/owner.ts';
import { type Prober, startProber } from '../support/cluster/prober.ts';
import {
  type Cluster,
  type ClusterOptions,
  makeCluster,
  type Settled,
  termOf,
} from '../support/cluster.ts';
import { openDecoding } from '../support/decoding.ts';
import {
  type Force,
  recoveryFaults,
  servingFaults,
  termChangeFaults,
} from '../support/invariants/service.ts';
import { isTerminal } from '../support/invariants/store.ts';
import { doubleStarts, type StartLine, unfinished } from '../support/invariants/work.ts';
import { type Bounds, boundsOf } from './bounds.ts';
import { putTestJobs, startLines, type TestJob } from './jobs.ts';
import { StoreHistory } from './store-history.ts';

/** Bounds are for a busy machine: what is judged is what happens, not how fast. */
const RUNS_OVER_WITHIN_MS = 120_000;
/** One fault can show in hundreds of answers; the first ones tell it. */
const SHOWN = 10;

/**
 * A pair at work, about to meet a fault: the cluster, a prober that writes to both controllers and reads
 * from them all the time, and what is needed to judge the history afterwards.
 */
export class Scenario {
  readonly cluster: Cluster;
  readonly prober: Prober;
  #before: Settled;
  #t: ExecutionContext;
  readonly #store: StoreHistory;
  #submitted = 0;

  private constructor(parts: {
    t: ExecutionContext;
    owner: Owner;
    cluster: Cluster;
    before: Settled;
    store: StoreHistory;
  }) {
    this.#t = parts.t;
    this.cluster = parts.cluster;
    this.#before = parts.before;
    this.#store = parts.store;
    const { client, facts } = parts.cluster;
    this.prober = startProber(client, facts.hosts.map(controllerUrl));
    parts.owner.teardown(() => this.prober.stop());
  }

  /** Starts a cluster with its two jobs and waits until everything is in its place. */
  static async begin(
    t: ExecutionContext,
    options: ClusterOptions = {},
    owner: Owner = t,
  ): Promise<Scenario> {
    const cluster = await makeCluster(owner, {
      ...options,
      host: { ...HOST, ...options.host },
      agent: { ...AGENT, ...options.agent },
    });
    const store = new StoreHistory(await openDecoding(cluster.postgres.url));
    const before = await cluster.start();
    await putTestJobs(cluster);
    return new Scenario({ t, owner, cluster, before, store });
  }

  /**
   * One pair for all tests of a file, which must run one after the other. Each begins with all well. A function
   * as options is asked when the first test begins, and may leave things to the file's end.
   */
  static shared(
    test: TestFn<unknown>,
    options: ClusterOptions | ((owner: Owner) => ClusterOptions) = {},
  ): (t: ExecutionContext) => Promise<Scenario> {
    let scenario: Scenario | null = null;
    const teardowns: (() => unknown)[] = [];
    test.after.always(async () => {
      for (const teardown of teardowns.reverse()) await teardown();
    });
    return async (t) => {
      const owner = {
        teardown: (undo: () => unknown) => void teardowns.push(undo),
        // What went wrong is shown by the test it went wrong in.
        passed: true,
        log: () => undefined,
      };
      if (scenario === null) {
        const chosen = typeof options === 'function' ? options(owner) : options;
        scenario = await Scenario.begin(t, chosen, owner);
      }
      await scenario.#round(t);
      return scenario;
    };
  }

  /** How the pair was before the fault. */
  get before(): Settled {
    return this.#before;
  }

  get termBefore(): bigint {
    return termOf(this.before.activeStatus);
  }

  /** What the timings of the pair promise. */
  get bounds(): Bounds {
    return boundsOf(this.before.activeStatus.timings);
  }

  get starts(): StartLine[] {
    return startLines(this.cluster);
  }

  /** Submits runs of a job, each of which works for this long; resolves when all are acknowledged. */
  async submit(job: string, count: number, seconds: number): Promise<Run[]> {
    const keys = Array.from({ length: count }, () => `${job}-${this.#submitted++}`);
    const { client } = this.cluster;
    return await Promise.all(keys.map((key) => client.submit(job, key, { LASTS: `${seconds}` })));
  }

  /** Ten runs of each kind, short and long, and waits until some of them work. */
  async submitTwenty(): Promise<void> {
    await this.submit('once', 10, 1);
    await this.submit('again', 10, 1);
    await eventually(() => (this.starts.length > 0 ? true : null), { what: 'a run to start' });
  }

  /** Waits until these runs have written their start lines. */
  async started(runs: readonly Run[]): Promise<void> {
    await eventually(
      () => {
        const started = new Set(this.starts.map((line) => line.run));
        return runs.every((run) => started.has(run.id)) ? true : null;
      },
      { what: `${runs.length} runs to start` },
    );
  }

  /** Waits until every acknowledged run is over, and gives them. */
  async runsOver(): Promise<Run[]> {
    const { client } = this.cluster;
    return await eventually(
      async () => {
        const runs = await Promise.all(client.acknowledged.map((id) => client.run(id)));
        return runs.every((run) => isTerminal(run.state)) ? runs : null;
      },
      { what: 'all runs to be over', withinMs: RUNS_OVER_WITHIN_MS, everyMs: 200 },
    );
  }

  /** Waits until this node has answered with success what was asked after an instant, in time. */
  async servedBy(node: string, since: bigint, withinMs: number): Promise<void> {
    const { answers } = this.cluster.client;
    const first = await eventually(
      () => answers.find((answer) => answer.node === node && answer.sentAt > since) ?? null,
      { what: `${node} to serve` },
    );
    const afterMs = Math.round(Number(first.receivedAt - since) / 1e6);
    this.#t.true(
      afterMs <= withinMs,
      `${node} served after ${afterMs} ms, promised ${withinMs} ms`,
    );
  }

  /** A node has answered nothing with success that was asked later than this after an instant. */
  silentSince(node: string, since: bigint, withinMs: number): void {
    const until = since + BigInt(withinMs) * 1_000_000n;
    const late = this.cluster.client.answers.filter(
      (answer) => answer.node === node && answer.sentAt > until,
    );
    this.#t.deepEqual(late, [], `${node} answered later than ${withinMs} ms`);
  }

  /** I16: the same node is active, under the same term. */
  async nothingHappened(): Promise<void> {
    const { active } = this.before;
    const status = await this.cluster.activeOn(active.node);
    this.#t.deepEqual(termChangeFaults(this.termBefore, termOf(status)), []);
  }

  /** What the database tells against the pair up to now: I1, I3, I4, I7. */
  storeFaults(): Promise<string[]> {
    return this.#store.judge();
  }

  /** What a host or an agent has logged so far, the lines with this text in them. */
  logLines(name: string, text: string): string[] {
    const log = readFileSync(join(this.cluster.facts.folder, `${name}.log`), 'utf8');
    return log.split('\n').filter((line) => line.includes(text));
  }

  /** The ids of all runs of a job. */
  async runsOf(job: TestJob): Promise<string[]> {
    const page = await this.cluster.client.request('GET', `/api/v1/runs?job=${job}&limit=1000`);
    return (page as { items: readonly Run[] }).items.map((run) => run.id);
  }

  /**
   * After the heal: waits for one active and a ready passive, for a committed write, and for the end
   * of all runs; then judges the whole history by the invariants.
   */
  async judge(
    healedAt = process.hrtime.bigint(),
    force?: Force,
  ): Promise<{ after: Settled; runs: Run[] }> {
    const after = await this.cluster.settled();
    const answered = this.prober.successes.length;
    await eventually(() => (this.prober.successes.length > answered ? true : null), {
      what: 'a committed write',
    });
    const runs = await this.runsOver();
    const { client } = this.cluster;
    const jobs = new Map(runs.map((run) => [run.id, run.job]));
    const found = [
      ...(await this.#store.judge()),
      ...servingFaults(client.answers, force),
      ...doubleStarts(this.starts, (run) => jobs.get(run) === 'once'),
      ...unfinished(client.acknowledged, new Map(runs.map((run) => [run.id, run.state]))),
      ...recoveryFaults({
        healedAt,
        boundMs: RUNS_OVER_WITHIN_MS,
        successes: this.prober.successes,
        actives: [after.active.node],
      }),
    ];
    this.#t.deepEqual(found.slice(0, SHOWN), [], `${found.length} violations`);
    return { after, runs };
  }

  /** The command `understudy status` tells the truth: its exit code is the documented one. */
  async statusExits(code: 0 | 1 | 2, asked?: string): Promise<void> {
    await eventually(
      async () => ((await this.cluster.command(['status'], asked)).code === code ? true : null),
      { what: `understudy status to exit with ${code}` },
    );
    this.#t.pass();
  }

  async #round(t: ExecutionContext): Promise<void> {
    this.#t = t;
    t.teardown(() => this.cluster.showLogs(t));
    this.cluster.heal();
    this.#before = await this.cluster.settled();
    await this.cluster.agentsConnected([...this.cluster.agents.keys()]);
  }
}

/** Slow enough for a busy machine to keep up with, fast enough for a test. */
const HOST = { failover: { target: '4s' }, agents: { beatEvery: '500ms', lostAfter: '22s' } };
const AGENT = { retry: { every: '200ms', timeout: '250ms', limit: 30 } };
