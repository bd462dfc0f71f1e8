import type { Failure } from '@understudy/shared/kernel/promise';
import { killGroup } from '@understudy/shared/runtime/child';
import type { ActiveHost } from '../pair.ts';
import type { Stage } from '../stage.ts';

/** What is done to the active host, after which the other one has to serve. */
export interface Fault {
  readonly name: string;
  readonly title: string;
  /** Whose promise bounds the interruption. */
  readonly failure: Failure;
  readonly isProxied?: true;
  readonly strike: (victim: ActiveHost, stage: Stage) => void;
  /** Puts right what the host can't put right itself, once the other one serves. */
  readonly mend?: (victim: ActiveHost, stage: Stage) => void;
}

export const faults: readonly Fault[] = [
  {
    name: 'kill-controller',
    title: 'kill -9 of the controller',
    failure: 'controller-crash',
    strike: ({ controllerPid }) => process.kill(controllerPid, 'SIGKILL'),
  },
  {
    name: 'freeze-controller',
    title: 'SIGSTOP of the controller',
    failure: 'controller-freeze',
    strike: ({ controllerPid }) => process.kill(controllerPid, 'SIGSTOP'),
  },
  {
    name: 'kill-heartbeat',
    title: 'kill -9 of the heartbeat',
    failure: 'heartbeat-crash',
    strike: ({ heartbeatPid }) => process.kill(heartbeatPid, 'SIGKILL'),
  },
  {
    name: 'kill-host',
    title: 'kill -9 of heartbeat and controller',
    failure: 'heartbeat-crash',
    strike: killBoth,
  },
  {
    name: 'lose-host',
    title: 'the host is lost and stays away',
    failure: 'host-loss',
    strike: (victim) => {
      victim.host.process.keepDown();
      killBoth(victim);
    },
    mend: ({ host }) => host.process.letUp(),
  },
  {
    name: 'lose-database',
    title: 'the active alone loses the database',
    failure: 'database-of-active',
    isProxied: true,
    strike: ({ host }, { databaseLinkOf }) => databaseLinkOf(host.node).blackhole(),
    mend: ({ host }, { databaseLinkOf }) => databaseLinkOf(host.node).heal(),
  },
  {
    name: 'stop-heartbeat',
    title: 'SIGTERM of the heartbeat',
    // It goes in order: the heartbeat switches over before it ends.
    failure: 'switchover',
    strike: ({ heartbeatPid }) => process.kill(heartbeatPid, 'SIGTERM'),
  },
];

/** Ends all of a host at one moment. */
export function killBoth({ heartbeatPid, controllerPid }: ActiveHost): void {
  // Stopped first, so that neither lives on to tell of the other's death.
  process.kill(heartbeatPid, 'SIGSTOP');
  process.kill(controllerPid, 'SIGKILL');
  killGroup(heartbeatPid, 'SIGKILL');
}
