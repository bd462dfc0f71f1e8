import type { Clock } from '@understudy/shared/runtime/clock';
import { msToNs } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import { type Log, silentLog } from '@understudy/shared/runtime/log';
import { timeLimit } from '@understudy/shared/runtime/time-limit';
import { assemble } from '../assemble.ts';
import { hiddenPath } from '../http/hidden-path.ts';
import { ApiServer } from '../http/server.ts';
import type { WriterLane } from '../store/lane.ts';
import type { Reader } from '../store/reader.ts';
import { TenureGuard } from '../tenure/guard.ts';
import { Caller } from './caller.ts';
import { practiseBeginning } from './practise-beginning.ts';
import { Script } from './script.ts';

export interface RehearsalOptions {
  readonly config: ControllerHostConfig;
  readonly clock: Clock;
  /** What is looked for is not there; that the database is asked is part of the play. */
  readonly reader: Reader;
  /** Its own, on which what is open is read; closed at the end. */
  readonly lane: WriterLane;
  readonly log: Log;
  /** Aborts when the real thing begins. */
  readonly signal: AbortSignal;
}

const ROUNDS = 100;
const LIMIT_MS = 5_000;

/**
 * Plays a tenure of a work plane that nobody sees, so that what a new active does in its first second has run
 * before: code that runs for the first time is compiled first, and is ten times as slow. First it takes over what is
 * open, then it is asked for things: it listens at a hidden socket, has a term that is no grant, and commits to nothing:
 * not a row is written. Gives how many rounds were played; rejects when the play broke off for another reason than its
 * signal or its end of time.
 */
export async function rehearse(options: RehearsalOptions): Promise<number> {
  const { config, clock, lane, log, signal } = options;
  const guard = new TenureGuard(
    { term: 0n, trustedUntilNs: clock.monotonicNs() + msToNs(2 * LIMIT_MS) },
    { clock, trustMs: 2 * LIMIT_MS, onSlept: () => undefined },
  );
  const limit = timeLimit(LIMIT_MS, signal);
  const until = limit.signal;
  let defect: unknown = null;
  const makePlane = () =>
    assemble({
      ...{ config, clock, guard, reader: options.reader, keystore: null, credentials: null },
      log: silentLog,
      failpoints: { pass: () => undefined, stopSchedulerOn: null },
      lane: { transaction: (_options, work) => work(() => Promise.resolve([])) },
      onHigherTerm: () => undefined,
      onDeposed: () => undefined,
      onDefect: (error) => {
        defect = error;
      },
    });
  const plane = makePlane();
  const path = hiddenPath();
  const server = new ApiServer({
    ...{ guard, node: config.node, listen: { path }, credentials: null, log: silentLog },
  });
  const since = clock.wallMs();
  await server.open();
  const surroundings = { server, isFailsafe: () => false, since };
  server.serve(plane.handlerIn(surroundings));
  const caller = new Caller({ path, token: config.token, signal: until });
  const script = new Script(caller);
  // Whatever the play waits for, it may never come once it is broken off.
  const brokenOff = new Promise<void>((resolve) => {
    until.addEventListener('abort', () => resolve(), { once: true });
  });
  try {
    const practice = { pair: config.pair, lane, assemble: makePlane, surroundings, signal: until };
    // The play does without it, where no connection is left, or what is open takes too long to read.
    await practiseBeginning(practice).catch((error: unknown) => {
      const text = 'what is open could not be taken over for practice';
      if (!until.aborted) log.warn(text, { error: messageOf(error) });
    });
    plane.scheduler.start();
    await Promise.race([script.begin(), brokenOff]);
    while (script.rounds < ROUNDS && !until.aborted) {
      await Promise.race([script.playRound(), brokenOff]);
    }
  } catch (error) {
    if (!until.aborted) throw defect ?? error;
  } finally {
    limit.end();
    caller.close();
    plane.rest();
    server.cutOff();
  }
  return script.rounds;
}
