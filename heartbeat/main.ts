import { randomUUID } from 'node:crypto';
import { systemClock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { type Log, makeLog } from '@understudy/shared/runtime/log';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { certificateProblems } from '@understudy/shared/runtime/tls/problems';
import { Heartbeat } from './heartbeat.ts';
import { raisePriority } from './supervise/priority.ts';
import { makeServiceManager } from './supervise/service-manager.ts';
import { CertificateWatch } from './tls/certificate-watch.ts';

export interface RunHeartbeatOptions {
  /** Path of the built-in controller's main file; the packages don't import each other. */
  readonly builtinController: string;
}

/** Beside the time of a lease: the store is looked at far more often, and each look has a time limit. */
const STUCK_AFTER_MS = 10_000;

/**
 * Runs this controller host until it is asked to stop (SIGTERM or SIGINT; a second one ends at once).
 * Resolves to the exit code: 0 after a clean stop, 78 when the node id is in use. Throws `UserError`
 * for what an operator must mend.
 */
export async function runHeartbeat(
  config: ControllerHostConfig,
  options: RunHeartbeatOptions,
): Promise<number> {
  const log = makeLog(config.log, {
    process: 'heartbeat',
    pair: config.pair,
    node: config.node,
  });
  const manager = makeServiceManager({
    env: process.env,
    pid: process.pid,
    stuckAfterMs: STUCK_AFTER_MS + config.timers.ttlMs,
    clock: systemClock,
    log,
  });
  const heartbeat = new Heartbeat({
    config,
    manager,
    incarnation: randomUUID(),
    builtinController: options.builtinController,
    certificates: await openCertificates(config, log),
    clock: systemClock,
    log,
  });
  endOnDefects(log);
  const refused = raisePriority(process.pid);
  if (refused !== null) log.debug('has the usual priority', { reason: refused });
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(exitCodes.failed);
    isStopping = true;
    log.info('was asked to stop', { signal });
    heartbeat.stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    return await heartbeat.run();
  } catch (error) {
    if (error instanceof UserError) log.error(error.message);
    throw error;
  } finally {
    process.off('SIGTERM', stop);
    process.off('SIGINT', stop);
    manager.close();
  }
}

async function openCertificates(
  config: ControllerHostConfig,
  log: Log,
): Promise<CertificateWatch | null> {
  const { pair, node, tls } = config;
  const { wallMs } = systemClock;
  const self = { pair, kind: 'node', id: node } as const;
  const acceptsPlain = tls?.plain === 'accept';
  const credentials =
    tls === null ? null : await Credentials.open({ files: tls, self, wallMs, acceptsPlain });
  for (const { what, problem, advice } of certificateProblems(config, wallMs())) {
    log.warn(`${what}: ${problem}`, { advice });
  }
  return credentials === null ? null : new CertificateWatch({ credentials, wallMs, log });
}

/** A defect ends the process at once: the kernel ends the controller with it, and the lease runs out. */
function endOnDefects(log: Log): void {
  const end = (error: unknown) => {
    log.error('ends because of a defect', {
      error: messageOf(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    process.exit(exitCodes.defect);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
