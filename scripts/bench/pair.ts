import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '@understudy/shared/runtime/errors';
import { askHeartbeat, type HeartbeatStatus } from '../cli/client/heartbeat-status.ts';
import { judgePair } from '../cli/pair-verdict.ts';
import type { LocalHost, LocalSystem } from '../local/system.ts';

/** The host that serves, and what may be done to it. */
export interface ActiveHost {
  readonly host: LocalHost;
  readonly heartbeatPid: number;
  readonly controllerPid: number;
  readonly term: string;
}

const READY_WITHIN_MS = 60_000;
const TAKEN_OVER_WITHIN_MS = 60_000;

/** Waits until one node serves and the other is ready, and gives the one that serves. */
export async function findActive(system: LocalSystem): Promise<ActiveHost> {
  const deadline = performance.now() + READY_WITHIN_MS;
  let summary = '';
  while (performance.now() < deadline) {
    const answers = await Promise.all(
      system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)),
    );
    const verdict = judgePair(answers);
    const statuses = answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
    const active = verdict.exitCode === 0 ? activeOf(system, statuses) : null;
    if (active !== null) return active;
    summary = verdict.summary;
    await delay(50);
  }
  throw new UserError(`the pair was not ready within 60 s: ${summary}`);
}

/** Waits until a node serves under a higher term than this, whether or not another one is ready. */
export async function untilServedAbove(system: LocalSystem, term: string): Promise<void> {
  const deadline = performance.now() + TAKEN_OVER_WITHIN_MS;
  while (performance.now() < deadline) {
    const answers = await Promise.all(
      system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 500)),
    );
    const serves = answers.some((each) => {
      if (each.kind === 'silent') return false;
      const { node, active, term: own } = each.status;
      return active?.node === node && BigInt(own ?? '0') > BigInt(term);
    });
    if (serves) return;
    await delay(20);
  }
  throw new UserError(`nobody took over within ${TAKEN_OVER_WITHIN_MS / 1_000} s`);
}

/** What all heartbeats that answer say. */
export async function statusesOf(system: LocalSystem): Promise<readonly HeartbeatStatus[]> {
  const answers = await Promise.all(
    system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)),
  );
  return answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
}

function activeOf(system: LocalSystem, statuses: readonly HeartbeatStatus[]): ActiveHost | null {
  const status = statuses.find((each) => each.active?.node === each.node);
  const host = system.hosts.find((each) => each.node === status?.node);
  const heartbeatPid = host?.process.pid ?? null;
  const controllerPid = status?.controller?.pid ?? null;
  const term = status?.term ?? null;
  if (host === undefined || heartbeatPid === null || controllerPid === null || term === null) {
    return null;
  }
  return { host, heartbeatPid, controllerPid, term };
}
