/**
 * The controller process. Its heartbeat starts it and speaks with it over the IPC channel; it serves one
 * tenure in its life. Whatever goes wrong in a way that nobody expected ends the process.
 */
import {
  type FromController,
  type Tenure,
  toControllerSchema,
} from '@understudy/shared/protocol/tenure';
import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { exitCodes, messageOf } from '@understudy/shared/runtime/errors';
import { makeLog } from '@understudy/shared/runtime/log';
import { checkConfig } from './config.ts';
import { Controller } from './controller.ts';

endIfOrphaned();
let controller: Controller | null = null;
let log = makeLog({ level: 'info', format: 'json' }, { process: 'controller' });

process.on('uncaughtException', (error) => {
  log.error('the controller ends because of a defect', { error: error.stack ?? messageOf(error) });
  process.exit(exitCodes.defect);
});
// The channel is our tie to the heartbeat: without it nobody would tell us that the tenure is over.
process.on('disconnect', () => process.exit(exitCodes.failed));
// The heartbeat decides when this process ends; a terminal's interrupt goes to all of its processes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('message', (message) => void hear(message));

async function hear(message: unknown): Promise<void> {
  const parsed = toControllerSchema.parse(message);
  switch (parsed.type) {
    case 'configure':
      controller ??= configure(parsed.config);
      return;
    case 'probe': {
      const problems = controller?.problems() ?? [];
      return say({ type: 'probed', seq: parsed.seq, healthy: problems.length === 0, problems });
    }
    case 'activate':
      return await configured(parsed.tenure).activate(parsed.tenure);
    case 'extend':
      return configured(parsed.tenure).extend(parsed.tenure);
    case 'deactivate':
      return await controller?.deactivate(parsed.graceMs);
  }
}

function configure(given: unknown): Controller {
  const config = checkConfig(given);
  log = makeLog(config.log, { process: 'controller', pair: config.pair, node: config.node });
  return new Controller({ config, log, say });
}

function configured(tenure: Tenure): Controller {
  if (controller === null) throw new Error(`term ${tenure.term} came before the configuration`);
  return controller;
}

function say(message: FromController): void {
  if (process.connected) process.send?.(message);
}
