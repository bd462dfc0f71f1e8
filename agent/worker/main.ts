/**
 * The worker's process. It is kept small, because where Node has to start the programs each costs the more the more
 * memory it has: no log library, no HTTP library; what it has to say goes over the channel to the agent's heartbeat.
 */

import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { systemClock } from '@understudy/shared/runtime/clock';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import type { FromWorker, ToWorker } from './link.ts';
import { logFault, openWorker, type Worker, type WorkerPorts } from './worker.ts';

endIfOrphaned();
process.on('disconnect', () => process.exit(exitCodes.failed));
// A stop is the heartbeat's to order: a terminal sends these to the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

const send = (message: FromWorker): void => {
  if (process.connected) process.send?.(message);
};

const ports: WorkerPorts = {
  send,
  nowMs: () => systemClock.monotonicMs(),
  wallMs: () => systemClock.wallMs(),
  random: Math.random,
  onFault: fail,
};

process.on('uncaughtException', fail);

let worker: Promise<Worker> | null = null;
process.on('message', (message: ToWorker) => {
  if (message.type === 'configure') {
    worker = openWorker(message.config, ports);
    worker.then(() => send({ type: 'ready' }), fail);
    return;
  }
  worker?.then((opened) => opened.take(message)).catch(fail);
});

function fail(error: unknown): void {
  if (error instanceof UserError) {
    const { message, exitCode } = error;
    process.send?.({ type: 'unfit', message, exitCode } satisfies FromWorker, () =>
      process.exit(exitCode),
    );
    return;
  }
  logFault(ports, error);
  setImmediate(() => process.exit(exitCodes.failed));
}
