import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { controllerUrl } from '../support/cluster/configs.ts';
import { Herd } from '../support/cluster/herd.ts';
import { type Cluster, makeCluster, termOf } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';

const AGENTS = 500;
const RETRY = { everyMs: 1_000, timeoutMs: 1_000, limit: 40 };
/** N * h. */
const REPOINTED_WITHIN_MS = RETRY.everyMs * RETRY.limit;
const P99_MS = 1_000;

test('F102: five hundred agents find the next active at once, and it goes on answering', async (t) => {
  const cluster = await makeCluster(t, { agents: [], host: { failover: { target: '10s' } } });
  const { active, activeStatus, passive } = await cluster.start();
  const { token } = cluster.facts;
  const herd = new Herd({
    ...{ count: AGENTS, controllers: cluster.facts.hosts.map(controllerUrl), token, retry: RETRY },
    environment: cluster.environment,
  });
  t.teardown(() => herd.end());
  await herd.allFollow(active.node);

  for (const [how, to, from, change] of [
    ['fail-over', passive, active, () => active.killHeartbeat()],
    ['switch-over', active, passive, async () => void (await cluster.command(['switchover']))],
  ] as const) {
    const asked = probe(cluster, to.options.controllerUrl);
    await change();
    await cluster.activeOn(to.node);
    const servesAt = process.hrtime.bigint();
    const joinedAt = await herd.allFollow(to.node);
    const late = joinedAt.map((at) => Number(at - servesAt) / 1e6);
    const tookMs = await asked.stop();
    const [slowest, p99] = [Math.max(...late), percentile(tookMs, 0.99)];
    t.log(
      `${how}: the last agent after ${Math.round(slowest)} ms, the median ${Math.round(percentile(late, 0.5))} ms; ` +
        `${tookMs.length} answers, p99 ${Math.round(p99)} ms`,
    );
    t.true(slowest <= REPOINTED_WITHIN_MS, `the last one after ${slowest} ms`);
    t.true(p99 <= P99_MS + BUSY_MS, `p99 ${p99} ms`);
    if (!from.heartbeat.running) from.start();
    await from.until('to be ready', ({ ready }) => ready);
  }
  const { term } = await cluster.activeOn(active.node);
  t.is(BigInt(term ?? 0), termOf(activeStatus) + 2n, 'the crowd itself has moved nobody');
});

/** Asks the controller what a console asks, again and again; gives how long each answer took. */
function probe(cluster: Cluster, url: string): { stop(): Promise<readonly number[]> } {
  const tookMs: number[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const before = performance.now();
      const answer = await cluster.client.ask(url, 'GET', '/api/v1/pair');
      // While nobody serves there, nothing is slow.
      if (answer?.status === 200) tookMs.push(performance.now() - before);
      await pause(10);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await asking;
      return tookMs;
    },
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
