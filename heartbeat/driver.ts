import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import { passFailpoint } from './failpoints.ts';
import type { Claim, Held, Holder, LeaseStore } from './lease/port.ts';
import type { Peers } from './peer/client.ts';
import { whyNoConsent } from './role/failsafe.ts';
import { wakeAt } from './role/pursue.ts';
import type {
  ConsentRefusal,
  DemoteReason,
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
  Story,
} from './role/state.ts';
import { initialRole, stepRole } from './role/step.ts';
import { narrate } from './role/story.ts';
import { mayTestify, whyNotReady } from './role/view.ts';
import type { ControllerProcess } from './supervise/controller-process.ts';
import type { SuspensionWatch } from './supervise/suspension.ts';

export interface RoleDriverOptions {
  readonly role: RoleOptions;
  readonly lease: LeaseStore;
  readonly controller: Pick<
    ControllerProcess,
    'start' | 'activate' | 'extend' | 'drain' | 'hold' | 'resume' | 'forward' | 'kill'
  >;
  readonly peers: Pick<Peers, 'askTestimony' | 'askConsent'>;
  /** Awaited before the lease is given back: what a successor takes over is to be let go of here. */
  readonly beforeRelease?: () => Promise<void>;
  /** This node is preferred and ready: asks the active one for the role. */
  readonly askSwitchOver: () => void;
  readonly tellPeersTenureOver: (term: Term) => void;
  /** Looked at before an answer of the store is taken in: it may have waited out a suspension of this host. */
  readonly suspension: Pick<SuspensionWatch, 'look' | 'offsetMs'>;
  /** Called after each story. */
  readonly onStory: (story: Story) => void;
  /** Called after each event was taken in, before its effects. */
  readonly onStep?: (event: RoleEvent, state: RoleState) => void;
  /** Called when a call to the store has come to its end, well or not: they have time limits, so this goes on for ever. */
  readonly onAnswered?: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Interprets the role machine for real: hands it events with the time, executes its effects, wakes it
 * when it is due. Events are taken one after the other, also when an effect causes one at once.
 */
export class RoleDriver {
  readonly #options: RoleDriverOptions;
  readonly #queue: RoleEvent[] = [];
  readonly #finished: Promise<void>;
  #finish: () => void = () => undefined;
  #state: RoleState;
  #busy = false;
  #isBroken = false;
  #renewalFails = false;
  #timer: NodeJS.Timeout | null = null;
  #lastDemotion: LastDemotion | null = null;

  constructor(options: RoleDriverOptions) {
    this.#options = options;
    this.#state = initialRole(options.clock.monotonicMs());
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get state(): RoleState {
    return this.#state;
  }

  /** How the last tenure of this heartbeat ended; null when it had none. */
  get lastDemotion(): LastDemotion | null {
    return this.#lastDemotion;
  }

  /**
   * Begins, and resolves when the machine has stopped: after the event `stop`. `predecessor`: the
   * incarnation that had this node id before, if it is proven to have died on this host.
   */
  run(predecessor: string | null): Promise<void> {
    // What peers have said already stays true.
    const { disagreement, highestTerm, peersHeard } = this.#state;
    const fresh = initialRole(this.#options.clock.monotonicMs(), predecessor);
    this.#state = { ...fresh, disagreement, highestTerm, peersHeard };
    this.#options.lease.onHint(() => this.dispatch({ kind: 'hint' }));
    this.dispatch({ kind: 'tick' });
    return this.#finished;
  }

  dispatch(event: RoleEvent): void {
    if (this.#isBroken) return;
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#take(next);
      }
    } catch (error) {
      this.#break(error);
    } finally {
      this.#busy = false;
    }
    this.#planWake();
  }

  /** Gives this node's word that the tenure and all below are over, if it can: null, or why not. */
  testify(held: Held): string | null {
    if (this.#isBroken || !mayTestify(this.#state, held, this.#options.role)) {
      return `this node is in phase ${this.#state.phase.name} and cannot speak for that tenure`;
    }
    this.dispatch({ kind: 'testified', term: held.term });
    return null;
  }

  /** Binds this node to stay passive for the holder of `term`, if it may: null, or why not. */
  consent(term: Term, forMs: number): ConsentRefusal | null {
    if (this.#isBroken) return 'not-passive';
    const refusal = whyNoConsent(this.#state, term, this.#options.clock.monotonicMs());
    if (refusal !== null) return refusal;
    const until = this.#options.clock.monotonicMs() + forMs;
    this.dispatch({ kind: 'consented', term, until });
    return null;
  }

  /** Why this node could not take the role now; empty when it could. */
  whyNotReady(): readonly string[] {
    return this.#isBroken ? ['it is ending'] : whyNotReady(this.#state, this.#options.role);
  }

  /** Gets ready to be handed the lease of `term` within `withinMs`: null, or why this node could not take it. */
  expect(term: Term, withinMs: number): readonly string[] | null {
    if (this.#isBroken) return ['it is ending'];
    const { phase } = this.#state;
    const reasons = [...whyNotReady(this.#state, this.#options.role)];
    if (phase.name !== 'watching') reasons.push(`it is ${phase.name}`);
    if (reasons.length > 0) return reasons;
    const until = this.#options.clock.monotonicMs() + withinMs;
    this.dispatch({ kind: 'hand-over-expected', term, until });
    return null;
  }

  #take(event: RoleEvent): void {
    const now = this.#options.clock.monotonicMs();
    const { state, effects } = stepRole(this.#state, event, now, this.#options.role);
    this.#state = state;
    this.#options.onStep?.(event, state);
    for (const effect of effects) this.#execute(effect);
  }

  /**
   * A breach of an invariant, or an effect that throws, ends the process, whoever called: state and deeds
   * no longer agree, and the kernel ends the controller with us.
   */
  #break(error: unknown): void {
    this.#isBroken = true;
    queueMicrotask(() => {
      throw error;
    });
  }

  #planWake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isBroken) return;
    const now = this.#options.clock.monotonicMs();
    const at = wakeAt(this.#state, now, this.#options.role);
    if (at === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.max(1, Math.ceil(at - now));
    this.#timer = setTimeout(() => this.dispatch({ kind: 'tick' }), waitMs);
  }

  #execute(effect: RoleEffect): void {
    const { controller, lease } = this.#options;
    switch (effect.kind) {
      case 'read-lease':
        return this.#later(this.#read());
      case 'claim':
        return this.#later(this.#claim(effect.claim));
      case 'renew':
        return this.#later(this.#renew(effect.held, effect.evenIfExpired));
      case 'hand-over':
        return this.#later(this.#handOver(effect.held, effect.renewSeq, effect.to));
      case 'release':
        return this.#later(this.#release(effect.held));
      case 'break':
        return this.#later(this.#giveBack(effect.held, lease.break(effect.held)));
      case 'ask-testimony':
        return this.#options.peers.askTestimony(effect.held);
      case 'ask-consent':
        return this.#options.peers.askConsent(effect.held, effect.forMs);
      case 'ask-switch-over':
        return this.#options.askSwitchOver();
      case 'tell-peers-tenure-over':
        return this.#options.tellPeersTenureOver(effect.term);
      case 'start-controller':
        return controller.start();
      case 'activate-controller':
        return controller.activate(
          effect.term,
          effect.trustedUntil,
          this.#options.suspension.offsetMs,
        );
      case 'extend-tenure':
        return controller.extend(effect.term, effect.trustedUntil, effect.failsafe);
      case 'hold-controller':
        return controller.hold(effect.forMs);
      case 'resume-controller':
        return controller.resume();
      case 'forward-controller':
        return controller.forward(effect.to, effect.forMs);
      case 'drain-controller':
        return controller.drain(effect.graceMs);
      case 'kill-controller':
        return controller.kill();
      case 'tell':
        return this.#tell(effect.story);
      case 'finish':
        return this.#finish();
    }
  }

  /** Lease calls never reject; if one does, that is a defect, and the process ends by it. */
  #later(call: Promise<RoleEvent>): void {
    void call.then((event) => {
      this.#options.onAnswered?.();
      this.#options.suspension.look();
      this.dispatch(event);
    });
  }

  async #read(): Promise<RoleEvent> {
    const result = await this.#options.lease.read();
    return result.kind === 'read'
      ? { kind: 'lease-read', row: result.row }
      : { kind: 'read-failed', error: result.error };
  }

  async #claim(claim: Claim): Promise<RoleEvent> {
    passFailpoint('before-claim');
    const sentAt = this.#options.clock.monotonicMs();
    const result = await this.#options.lease.claim(claim);
    switch (result.kind) {
      case 'granted':
        passFailpoint('after-claim');
        return { kind: 'claim-granted', sentAt, row: result.row };
      case 'refused':
        return { ...result, kind: 'claim-refused' };
      case 'failed':
        return { kind: 'claim-failed', error: result.error };
    }
  }

  async #handOver(held: Held, renewSeq: bigint, to: Holder): Promise<RoleEvent> {
    const { term } = held;
    const result = await this.#options.lease.handOver(held, renewSeq, to);
    switch (result.kind) {
      case 'handed-over':
        return { kind: 'handed-over', term, row: result.row };
      case 'refused':
        return { kind: 'hand-over-refused', term, row: result.row };
      case 'failed':
        return { kind: 'hand-over-failed', term, error: result.error };
    }
  }

  async #renew(held: Held, evenIfExpired: boolean): Promise<RoleEvent> {
    const sentAt = this.#options.clock.monotonicMs();
    const result = await this.#options.lease.renew(held, { evenIfExpired });
    const { term } = held;
    switch (result.kind) {
      case 'granted':
        this.#renewalFails = false;
        return { kind: 'renew-granted', sentAt, row: result.row };
      case 'refused':
        return { kind: 'renew-refused', term, row: result.row };
      case 'failed':
        // One line for each outage, not one for each try.
        if (!this.#renewalFails) {
          this.#options.log.warn('renewals fail: tries on', { term, error: result.error });
        }
        this.#renewalFails = true;
        return { kind: 'renew-failed', term, sentAt, error: result.error };
    }
  }

  async #release(held: Held): Promise<RoleEvent> {
    await this.#options.beforeRelease?.();
    return await this.#giveBack(held, this.#options.lease.release(held));
  }

  async #giveBack(held: Held, call: ReturnType<LeaseStore['release']>): Promise<RoleEvent> {
    const { term } = held;
    const result = await call;
    switch (result.kind) {
      case 'released':
      case 'refused':
        return { kind: 'given-back', term, row: result.row };
      case 'failed':
        return { kind: 'give-back-failed', term, error: result.error };
    }
  }

  #tell(story: Story): void {
    const { level, message, fields } = narrate(story);
    this.#options.log[level](message, fields);
    const at = new Date(this.#options.clock.wallMs()).toISOString();
    if (story.kind === 'demoting') this.#lastDemotion = { term: story.term, ...story.why, at };
    if (story.kind === 'handed-over') {
      const detail = `the lease was handed over to ${story.to}`;
      this.#lastDemotion = { term: story.term, reason: 'asked-to-switch-over', detail, at };
    }
    this.#options.onStory(story);
  }
}

/** How a tenure ended. */
export interface LastDemotion {
  readonly term: Term;
  readonly reason: DemoteReason;
  readonly detail: string;
  /** Wall clock, ISO 8601. */
  readonly at: string;
}

/** The highest term that ended here without the store being told; for peers. */
export class TenureOver {
  #term: Term | null = null;

  get term(): Term | null {
    return this.#term;
  }

  note(term: Term): void {
    this.#term = this.#term === null ? term : maxTerm(this.#term, term);
  }
}
