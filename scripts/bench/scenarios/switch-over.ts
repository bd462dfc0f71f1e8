import { setTimeout as delay } from 'node:timers/promises';
import type { JobInput, Run } from '@understudy/shared/protocol/api';
import { isFinal } from '../../cli/client/follow-log.ts';
import { orderSwitchOver } from '../../cli/client/operator-call.ts';
import { allPages } from '../../cli/client/pages.ts';
import { judgeLoad } from '../load/judge.ts';
import { startLoad } from '../load/load.ts';
import { findActive } from '../pair.ts';
import { type Stage, type StagedPair, startWork } from '../stage.ts';
import type { Round, Scenario } from './scenario.ts';

const REQUESTS_PER_SECOND = 200;
const LONGEST_ANSWER_MS = 500;
const WARM_UP_MS = 1_000;
const AFTERMATH_MS = 500;
const ORDER_TIMEOUT_MS = 30_000;
const RUNS_OVER_WITHIN_MS = 60_000;

/**
 * A switch-over while users ask, in turn under the one address of the front, and under those of both
 * controllers. It lasts until the old controller has stopped forwarding and a new one stands by: that, too,
 * must not cost a request.
 */
export const switchOver: Scenario = {
  name: 'switch-over',
  title: `switch-over at ${REQUESTS_PER_SECOND} requests/s`,
  isProxied: false,
  measures: [
    {
      name: 'interruption',
      title: 'switch-over: interruption by the pair',
      unit: 'ms',
      most: (stage) => stage.promisedMs('switchover'),
    },
    {
      name: 'longest-answer',
      title: `switch-over at ${REQUESTS_PER_SECOND} requests/s: longest answer`,
      unit: 'ms',
      most: () => LONGEST_ANSWER_MS,
    },
    {
      name: 'failed',
      title: `switch-over at ${REQUESTS_PER_SECOND} requests/s: failed`,
      unit: 'requests',
      most: () => 0,
    },
  ],
  play,
};

async function play(stage: Stage, round: number): Promise<Round> {
  const { layout } = stage.system;
  const job = `bench-load-${round}`;
  const definition: JobInput = { name: job, command: ['true'], delivery: 'at-most-once' };
  await stage.api.request({ method: 'PUT', path: `/jobs/${job}`, body: definition });
  const work = await startWork(stage);
  const isDirect = round % 2 === 0;
  const load = startLoad({
    perSecond: REQUESTS_PER_SECOND,
    targets: (isDirect ? layout.hosts.map((host) => host.controllerPort) : [layout.frontPort]).map(
      (port) => ({ host: '127.0.0.1', port }),
    ),
    token: stage.token,
    job,
  });
  const changed = switchUnderLoad(stage);
  // Whatever came of it, the load has to end.
  await changed.catch(() => undefined);
  const sent = await load.stop();
  const interruptedMs = await changed;
  const verdict = judgeLoad(sent, await runsWhenOver(stage, job));
  const complaints = [...verdict.complaints, ...(await work.complaints())];
  if (interruptedMs === null) complaints.push('the pair did not measure the interruption');
  return {
    values: [interruptedMs ?? Number.NaN, verdict.longestMs, verdict.failed],
    complaints: complaints.map((line) => `${isDirect ? 'both controllers' : 'front'}: ${line}`),
  };
}

/** Switches over while users ask, and waits until all is calm; how long nobody served, as the pair tells it. */
export async function switchUnderLoad({ system, token }: StagedPair): Promise<number | null> {
  const { host } = await findActive(system);
  const others = system.hosts.filter((each) => each.node !== host.node);
  const heartbeat = { url: host.heartbeatUrl, peers: others.map((each) => each.heartbeatUrl) };
  await delay(WARM_UP_MS);
  const order = { to: null, timeoutMs: ORDER_TIMEOUT_MS };
  const { interruptedMs } = await orderSwitchOver({ heartbeat, token }, order);
  await findActive(system);
  await delay(AFTERMATH_MS);
  return interruptedMs;
}

/** All runs of a job, once none of them is open any more; after a while, as they are. */
export async function runsWhenOver({ api }: StagedPair, job: string): Promise<readonly Run[]> {
  const deadline = performance.now() + RUNS_OVER_WITHIN_MS;
  for (;;) {
    const runs = await allPages<Run>(api, '/runs', { job, limit: '1000' });
    if (runs.every(isFinal) || performance.now() > deadline) return runs;
    await delay(500);
  }
}
