import { killGroup } from '@understudy/shared/runtime/child';
import type { LocalHost } from '../local/system.ts';

/** One active host that something is done to. */
export interface Victim {
  readonly host: LocalHost;
  readonly heartbeatPid: number;
  readonly controllerPid: number;
}

export interface Fault {
  readonly name: string;
  readonly title: string;
  readonly inject: (victim: Victim) => void;
}

/** What the benchmark does to the active host. */
export const faults: readonly Fault[] = [
  {
    name: 'kill-controller',
    title: 'kill -9 of the controller',
    inject: ({ controllerPid }) => process.kill(controllerPid, 'SIGKILL'),
  },
  {
    name: 'kill-host',
    title: 'kill -9 of heartbeat and controller',
    inject: ({ heartbeatPid, controllerPid }) => {
      // Stopped first, so that neither lives on to tell of the other's death.
      process.kill(heartbeatPid, 'SIGSTOP');
      process.kill(controllerPid, 'SIGKILL');
      killGroup(heartbeatPid, 'SIGKILL');
    },
  },
  {
    name: 'freeze-controller',
    title: 'SIGSTOP of the controller',
    inject: ({ controllerPid }) => process.kill(controllerPid, 'SIGSTOP'),
  },
  {
    name: 'stop-heartbeat',
    title: 'SIGTERM of the heartbeat',
    inject: ({ heartbeatPid }) => process.kill(heartbeatPid, 'SIGTERM'),
  },
];
