import { formatTerm } from '@understudy/shared/kernel/term';
import type { FromController, Tenure } from '@understudy/shared/protocol/tenure';
import { systemClock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { type Failpoints, readFailpoints } from './failpoints.ts';
import { WriterLane } from './store/lane.ts';
import { Reader } from './store/reader.ts';
import { TenureGuard } from './tenure/guard.ts';
import { Watchdog } from './tenure/watchdog.ts';
import { beginTenure, type TenureScope } from './tenure-scope.ts';
import { keepWarm } from './warm.ts';

export interface ControllerOptions {
  readonly config: ControllerHostConfig;
  readonly log: Log;
  readonly say: (message: FromController) => void;
}

const CHECK_CLOCKS_EVERY_MS = 100;

/** The life of a controller: warm, then one tenure, then its end. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #lane: WriterLane;
  readonly #reader: Reader;
  readonly #watchdog: Watchdog;
  readonly #failpoints: Failpoints;
  readonly #warm: { stop(): void };
  #guard: TenureGuard | null = null;
  #scope: TenureScope | null = null;
  #isEnding = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { config, say } = options;
    this.#lane = new WriterLane(config);
    this.#reader = new Reader({ ...config, onAway: () => this.#scope?.suspectStore() });
    this.#failpoints = readFailpoints(process.env['UNDERSTUDY_FAILPOINTS']);
    this.#watchdog = new Watchdog(config.timers.killWithinMs);
    this.#watchdog.onFailure((error) => this.#end(`no watchdog: ${error.message}`));
    const watching = this.#watchdog.whenWatching();
    this.#warm = keepWarm({
      lane: this.#lane,
      reader: this.#reader,
      onReady: () => void watching.then(() => say({ type: 'ready' })),
      onNotReady: (reasons) => say({ type: 'notReady', reasons }),
    });
  }

  /** What is wrong with it; empty: nothing. */
  problems(): string[] {
    return this.#scope?.problems() ?? [];
  }

  /** Begins the tenure. The deadline is guarded before anything else is done. */
  async activate(tenure: Tenure): Promise<void> {
    if (this.#guard !== null) return this.extend(tenure);
    const { config, log, say } = this.#options;
    const { ttlMs, marginMs } = config.timers;
    this.#watchdog.set(tenure.trustedUntilNs);
    const guard = new TenureGuard(tenure, {
      clock: systemClock,
      trustMs: ttlMs - marginMs,
      onSlept: (gapMs) => log.warn('this host slept; waits for the next renewal', { gapMs }),
    });
    this.#guard = guard;
    this.#warm.stop();
    setInterval(() => this.#checkTime(guard), CHECK_CLOCKS_EVERY_MS);
    try {
      this.#scope = await beginTenure({
        ...{ config, guard, log, lane: this.#lane, reader: this.#reader, clock: systemClock },
        failpoints: this.#failpoints,
        onHigherTerm: (term) => say({ type: 'higherTerm', term: formatTerm(term) }),
        onFatal: (reason) => this.#end(reason),
      });
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
      return;
    }
    say({ type: 'serving', term: formatTerm(guard.term) });
    log.info('serves', { term: guard.term });
  }

  extend(tenure: Tenure): void {
    this.#guard?.extend(tenure);
    if (this.#guard?.term === tenure.term) this.#watchdog.set(this.#guard.trustedUntilNs);
  }

  /** Ends cleanly: answers what is under way, at most for so long. */
  async deactivate(graceMs: number): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#warm.stop();
    this.#options.say({ type: 'ending', reason: 'asked to' });
    await this.#scope?.drain(graceMs);
    process.exit(exitCodes.ok);
  }

  #checkTime(guard: TenureGuard): void {
    if (guard.isOver) this.#end('the tenure is over');
    else guard.checkClocks();
  }

  #end(reason: string): void {
    this.#scope?.cut();
    this.#options.log.error('the controller ends', { reason });
    this.#options.say({ type: 'ending', reason });
    process.exit(exitCodes.failed);
  }
}
