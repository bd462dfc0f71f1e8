import { setTimeout as pause } from 'node:timers/promises';
import { formatTerm } from '@understudy/shared/kernel/term';
import type {
  FromController,
  Tenure,
  toControllerSchema,
} from '@understudy/shared/protocol/tenure';
import { type Clock, msToNs, nsToMs } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes, messageOf } from '@understudy/shared/runtime/errors';
import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { Log } from '@understudy/shared/runtime/log';
import { judgeKey } from '@understudy/shared/runtime/pair-key';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import type { z } from 'zod';
import { type Active, activate } from './active.ts';
import { readFailpoints } from './failpoints.ts';
import { rehearse } from './rehearsal/rehearse.ts';
import { WriterLane } from './store/lane.ts';
import { loadInheritance } from './store/load.ts';
import { Reader } from './store/reader.ts';
import type { Execute } from './store/write-batch.ts';
import { TenureGuard } from './tenure/guard.ts';
import { Watchdog } from './tenure/watchdog.ts';

export interface ControllerOptions {
  readonly config: ControllerHostConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: (message: FromController) => void;
  /** Ends this process. */
  readonly end: (code: number, reason: string) => void;
}

type ToControllerParsed = z.infer<typeof toControllerSchema>;

/** While it waits warm, it looks so often whether its connections still live. */
const WARM_CHECK_EVERY_MS = 10_000;
const WARM_RETRY_MS = 500;
const WARM_CHECK_LIMIT_MS = 2_000;
/** A pair that has just started, or has lost its active while all agents come, has better things to do. */
const REHEARSE_AFTER_MS = 3_000;
/** Held for so long without a word, it ends: nobody may be served by halves for ever. */
const HELD_LIMIT_MS = 10_000;
/** So long before its end a forwarder takes nothing new. */
const FORWARD_END_MS = 250;

/** The controller: warm and waiting, then active for one tenure, then over. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #lane: WriterLane;
  readonly #reader: Reader;
  readonly #watchdog: Watchdog;
  readonly #failpoints = readFailpoints(process.env['UNDERSTUDY_FAILPOINTS']);
  #warmTimer: NodeJS.Timeout | null = null;
  #rehearsal: Promise<void> | null = null;
  #notReadyBecause: string | null = null;
  #keystore: Keystore | null = null;
  #credentials: Credentials | null = null;
  readonly #curtain = new AbortController();
  #guard: TenureGuard | null = null;
  #active: Active | null = null;
  #heldLimit: NodeJS.Timeout | undefined;
  #isForwarding = false;

  constructor(options: ControllerOptions) {
    const { config } = options;
    this.#options = options;
    const lane = {
      database: config.database,
      schema: config.schema,
      pair: config.pair,
      node: config.node,
    };
    this.#lane = new WriterLane(lane);
    this.#reader = new Reader({ ...lane, onAway: () => this.#active?.storeSuspected() });
    this.#watchdog = new Watchdog(config.timers.killWithinMs);
    this.#watchdog.onFailure((error) => {
      options.end(exitCodes.defect, `the watchdog failed: ${messageOf(error)}`);
    });
  }

  /** Connects, and says `ready`; goes on looking while it waits, and says so when it changes. Rehearses once. */
  warmUp(): void {
    void this.#warm();
  }

  hear(said: ToControllerParsed): void {
    switch (said.type) {
      case 'activate':
        return void this.#activate(said.tenure);
      case 'extend':
        return this.#extend(said.tenure, said.failsafe ?? false);
      case 'probe':
        return this.#answerProbe(said.seq);
      case 'deactivate':
        return void this.#deactivate(said.graceMs, true);
      case 'hold':
        return void this.#hold(said.forMs, said.seq);
      case 'resume':
        return this.#resume();
      case 'forward':
        return void this.#forward(said.to, said.forMs);
      case 'configure':
        return;
    }
  }

  /** Somebody else than its heartbeat ends it: as well as there is time. */
  leave(graceMs: number): void {
    void this.#deactivate(graceMs, false);
  }

  async #warm(): Promise<void> {
    let problem: string | null = null;
    try {
      problem = await this.#openCredentials();
      await this.#watchdog.whenWatching();
      if (this.#lane.isConnected) await this.#lane.ask('select 1', WARM_CHECK_LIMIT_MS);
      else await this.#lane.practise(WARM_CHECK_LIMIT_MS, practiseLoading);
      await this.#reader.warm();
      problem ??= await this.#lookAtKey();
    } catch (error) {
      problem = `the database does not answer: ${messageOf(error)}`;
    }
    if (this.#guard !== null) return;
    this.#say(problem);
    if (problem === null) this.#rehearsal ??= this.#rehearse();
    const pauseMs = problem === null ? WARM_CHECK_EVERY_MS : WARM_RETRY_MS;
    this.#warmTimer = setTimeout(() => void this.#warm(), pauseMs);
  }

  /** Once it is warm: its first second as the active is to find its code compiled. */
  async #rehearse(): Promise<void> {
    const { config, clock, log } = this.#options;
    const { signal } = this.#curtain;
    const reader = this.#reader;
    try {
      await pause(REHEARSE_AFTER_MS, null, { signal });
      const lane = new WriterLane({ ...config, purpose: 'rehearsal' });
      await rehearse({ config, clock, reader, lane, log, signal });
    } catch (error) {
      if (!signal.aborted) log.warn('the rehearsal broke off', { error: messageOf(error) });
    }
  }

  /** What is wrong with the certificate of this node; null: it has one, or needs none. */
  async #openCredentials(): Promise<string | null> {
    const { config, clock } = this.#options;
    const { pair, node, tls } = config;
    if (tls === null || this.#credentials !== null) return null;
    try {
      const self = { pair, kind: 'node', id: node } as const;
      const wallMs = () => clock.wallMs();
      const acceptsPlain = tls.plain === 'accept';
      this.#credentials = await Credentials.open({ files: tls, self, wallMs, acceptsPlain });
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** What is wrong with the key store of this node; null when it is the pair's. */
  async #lookAtKey(): Promise<string | null> {
    const { pair, keystore: path } = this.#options.config;
    const verdict = judgeKey({ pair, path, known: await this.#reader.knownKey() });
    this.#keystore = verdict.type === 'fits' ? verdict.keystore : null;
    return verdict.type === 'refused' ? verdict.reason : null;
  }

  #say(problem: string | null): void {
    const { tell, log } = this.#options;
    if (problem === null) tell({ type: 'ready' });
    else tell({ type: 'notReady', reasons: [problem] });
    if (problem !== null && this.#notReadyBecause === null) log.warn('not ready', { problem });
    this.#notReadyBecause = problem;
  }

  async #activate(tenure: Tenure): Promise<void> {
    const { config, clock, log, tell, end } = this.#options;
    if (this.#guard !== null) return;
    if (this.#warmTimer !== null) clearTimeout(this.#warmTimer);
    this.#curtain.abort();
    const { ttlMs, marginMs } = config.timers;
    const guard = new TenureGuard(tenure, {
      clock,
      trustMs: ttlMs - marginMs,
      onSlept: (gapMs) => log.warn('this host slept: waits for a renewal', { gapMs }),
    });
    this.#guard = guard;
    this.#watchdog.set(tenure.trustedUntilNs);
    this.#watchTenure(guard);
    try {
      this.#active = await activate({
        config,
        clock,
        log,
        guard,
        lane: this.#lane,
        reader: this.#reader,
        failpoints: this.#failpoints,
        keystore: this.#keystore,
        credentials: this.#requireCredentials(),
        onListening: () => tell({ type: 'listening', term: formatTerm(tenure.term) }),
        onHigherTerm: (term) => tell({ type: 'higherTerm', term: formatTerm(term) }),
        onDeposed: (reason) => end(exitCodes.failed, `deposed: ${reason}`),
        onDefect: (error) => end(exitCodes.defect, `the database refused: ${messageOf(error)}`),
      });
      tell({ type: 'serving', term: formatTerm(tenure.term) });
      log.info('serves', { term: tenure.term, ...config.controller.listen });
    } catch (error) {
      log.error('could not begin to serve', { error: messageOf(error) });
      end(exitCodes.failed, `could not begin to serve: ${messageOf(error)}`);
    }
  }

  /** A node that has a certificate must not serve without it. */
  #requireCredentials(): Credentials | null {
    if (this.#options.config.tls !== null && this.#credentials === null) {
      throw new Error('it has no certificate that can be used');
    }
    return this.#credentials;
  }

  /** Each renewal is an occasion to look at the clocks as well; so is each act, by the guard itself. */
  #extend(tenure: Tenure, isFailsafe: boolean): void {
    const guard = this.#guard;
    if (guard === null || this.#isForwarding) return;
    guard.checkClocks();
    guard.extend(tenure);
    this.#watchdog.set(guard.trustedUntilNs);
    this.#active?.setFailsafe(isFailsafe);
  }

  /** Past the deadline this process answers nobody and ends; the watchdog does it if this can't. */
  #watchTenure(guard: TenureGuard): void {
    if (this.#isForwarding) return;
    if (guard.isOver) {
      this.#active?.cutOff();
      this.#options.end(exitCodes.failed, 'the tenure ran out');
      return;
    }
    const leftMs = nsToMs(guard.trustedUntilNs - this.#options.clock.monotonicNs());
    setTimeout(() => this.#watchTenure(guard), Math.max(1, Math.ceil(leftMs)));
  }

  #answerProbe(seq: number): void {
    // What forwards has no work of its own that could be in trouble.
    const problems = this.#isForwarding ? [] : [...(this.#active?.problems() ?? [])];
    const healthy = problems.length === 0;
    this.#options.tell({ type: 'probed', seq, healthy, problems });
  }

  async #hold(forMs: number, seq: number): Promise<void> {
    const { tell, log, end } = this.#options;
    const active = this.#active;
    if (active === null || this.#isForwarding) {
      return tell({ type: 'holdFailed', reason: 'it does not serve', seq });
    }
    const startedAt = performance.now();
    const held = await active.switchOver.hold(forMs);
    const tookMs = Math.round(performance.now() - startedAt);
    switch (held.type) {
      case 'held':
        clearTimeout(this.#heldLimit);
        this.#heldLimit = setTimeout(
          () => end(exitCodes.failed, 'it was held and not told what to do'),
          HELD_LIMIT_MS,
        );
        tell({ type: 'held', seq });
        this.#failpoints.pass('after-held');
        log.info('holds: nothing is under way', { tookMs, parked: active.switchOver.parked });
        return;
      case 'failed':
        log.warn('could not hold: goes on', { reason: held.reason, tookMs });
        return tell({ type: 'holdFailed', reason: held.reason, seq });
      case 'called-off':
        return log.info('the hold was called off');
    }
  }

  #resume(): void {
    clearTimeout(this.#heldLimit);
    this.#active?.switchOver.resume();
  }

  /** From now on it acts for no term; its end is no longer that of its tenure. */
  async #forward(to: string, forMs: number): Promise<void> {
    const { clock, log, end } = this.#options;
    const active = this.#active;
    if (active === null) return end(exitCodes.failed, 'it has nothing to forward');
    if (this.#isForwarding) return;
    this.#isForwarding = true;
    clearTimeout(this.#heldLimit);
    this.#watchdog.set(clock.monotonicNs() + msToNs(forMs));
    active.switchOver.forward(to);
    log.info('forwards', { to, forMs });
    await pause(Math.max(0, forMs - FORWARD_END_MS));
    await active.drain(FORWARD_END_MS / 2, false);
    end(exitCodes.ok, 'has forwarded for long enough');
  }

  async #deactivate(graceMs: number, isAsked: boolean): Promise<void> {
    await this.#active?.drain(graceMs, isAsked);
    this.#options.end(exitCodes.ok, 'was asked to');
  }
}

/** For a pair that does not exist: the statements are planned, and the database knows its tables. */
async function practiseLoading(execute: Execute): Promise<void> {
  await loadInheritance('', 0n, execute);
}
