import { setFlagsFromString } from 'node:v8';
import { type FromController, toControllerSchema } from '@understudy/shared/protocol/tenure';
import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { systemClock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes, messageOf } from '@understudy/shared/runtime/errors';
import { type Log, makeLog } from '@understudy/shared/runtime/log';
import { Controller } from './controller.ts';

// What has run stays compiled, however long the controller waits for its tenure: V8 forgets code that rests.
setFlagsFromString('--no-flush-bytecode');

/**
 * The built-in controller's process, started by its heartbeat. It is told its configuration, then its
 * tenure, over the IPC channel, and ends when that channel closes. It serves one tenure in its life.
 */
endIfOrphaned();
let controller: Controller | null = null;
let log: Log | null = null;

process.on('message', (message) => {
  const said = toControllerSchema.parse(message);
  if (said.type === 'configure') {
    // The heartbeat has validated it, and nobody else has this channel.
    const config = said.config as ControllerHostConfig;
    log = makeLog(config.log, { process: 'controller', pair: config.pair, node: config.node });
    controller = new Controller({ config, clock: systemClock, log, tell, end });
    controller.warmUp();
    return;
  }
  controller?.hear(said);
});
process.on('disconnect', () => end(exitCodes.failed, 'the heartbeat is gone'));
// The heartbeat decides when this process ends; a signal to its group comes to it as well.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => controller?.leave(1_000));
process.on('uncaughtException', endOnDefect);
process.on('unhandledRejection', endOnDefect);

function tell(message: FromController): void {
  if (process.connected) process.send?.(message);
}

function end(code: number, reason: string): void {
  log?.info('the controller ends', { reason });
  tell({ type: 'ending', reason });
  process.exit(code);
}

/** Never half broken: the other host takes over with what is in the database. */
function endOnDefect(error: unknown): void {
  log?.error('ends because of a defect', {
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  end(exitCodes.defect, `defect: ${messageOf(error)}`);
}
