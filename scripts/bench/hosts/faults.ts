import type { Failure } from '@understudy/shared/kernel/promise';
import { killGroup } from '@understudy/shared/runtime/child';
import type { ActiveHost } from '../pair.ts';
import { killBoth } from '../scenarios/faults.ts';
import type { HostsStage } from './stage.ts';

/** What is done to the active host, after which the other one has to serve. */
export interface HostsFault {
  readonly name: string;
  readonly title: string;
  /** Whose promise bounds the interruption under the virtual address. */
  readonly failure: Failure;
  /** A better promise than that, in milliseconds. */
  readonly withinMs?: number;
  readonly strike: (victim: ActiveHost, stage: HostsStage) => void;
  /** Puts right what the host can't put right itself, once the other one serves. */
  readonly mend?: (victim: ActiveHost, stage: HostsStage) => void;
}

export const hostsFaults: readonly HostsFault[] = [
  {
    name: 'kill-controller',
    title: 'kill -9 of the controller',
    failure: 'controller-crash',
    withinMs: 150,
    strike: ({ controllerPid }) => process.kill(controllerPid, 'SIGKILL'),
  },
  {
    name: 'lose-host',
    title: 'the host is lost: link down, all killed',
    failure: 'host-loss',
    strike: (victim, { network }) => {
      victim.host.process.keepDown();
      network.host(victim.host.node).setPlugged(false);
      killBoth(victim);
    },
    mend: ({ host }, { network }) => {
      network.host(host.node).setPlugged(true);
      host.process.letUp();
    },
  },
  {
    name: 'lose-database',
    title: 'the active alone loses the database',
    failure: 'database-of-active',
    strike: ({ host }, { filterOf, network, system }) => {
      filterOf(host.node).cut({ ip: network.own, port: system.postgres.port });
    },
    mend: ({ host }, { filterOf }) => filterOf(host.node).heal(),
  },
  {
    name: 'freeze-controller',
    title: 'SIGSTOP of the controller',
    failure: 'controller-freeze',
    strike: ({ controllerPid }) => process.kill(controllerPid, 'SIGSTOP'),
  },
  {
    name: 'freeze-host',
    title: 'SIGSTOP of heartbeat and controller',
    failure: 'host-loss',
    strike: (victim) => signalBoth(victim, 'SIGSTOP'),
    mend: (victim) => signalBoth(victim, 'SIGCONT'),
  },
];

function signalBoth({ heartbeatPid, controllerPid }: ActiveHost, signal: NodeJS.Signals): void {
  killGroup(heartbeatPid, signal);
  killGroup(controllerPid, signal);
}
