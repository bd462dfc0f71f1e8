import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '@understudy/shared/runtime/errors';
import { askHeartbeat, type HeartbeatStatus } from '../cli/client/heartbeat-status.ts';
import { judgePair } from '../cli/pair-verdict.ts';
import type { LocalSystem } from '../local/system.ts';
import type { Victim } from './faults.ts';

const READY_WITHIN_MS = 60_000;

/** Waits until one node serves and the other is ready, and gives the one that serves. */
export async function findActive(system: LocalSystem): Promise<Victim & { readonly term: string }> {
  const deadline = performance.now() + READY_WITHIN_MS;
  let summary = '';
  while (performance.now() < deadline) {
    const answers = await Promise.all(
      system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)),
    );
    const verdict = judgePair(answers);
    const statuses = answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
    const victim = verdict.exitCode === 0 ? victimOf(system, statuses) : null;
    if (victim !== null) return victim;
    summary = verdict.summary;
    await delay(50);
  }
  throw new UserError(`the pair was not ready within 60 s: ${summary}`);
}

function victimOf(system: LocalSystem, statuses: readonly HeartbeatStatus[]) {
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
