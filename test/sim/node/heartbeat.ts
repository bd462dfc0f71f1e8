import type { Claim, Held } from '@understudy/heartbeat/lease/port';
import { whyNoConsent } from '@understudy/heartbeat/role/failsafe';
import { wakeAt } from '@understudy/heartbeat/role/pursue';
import type {
  ConsentRefusal,
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
} from '@understudy/heartbeat/role/state';
import { initialRole } from '@understudy/heartbeat/role/step';
import { mayTestify, whyNotReady } from '@understudy/heartbeat/role/view';
import { unreachable } from '@understudy/shared/kernel/invariant';
import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import { Process } from '../kernel/process.ts';
import { Lane, StoreLink } from '../store/link.ts';
import type { LeaseAnswer } from '../store/tables.ts';
import type { World } from '../world.ts';
import type { Node } from './node.ts';

/** As `makePostgresLease` has it: a claim may have to evict writers first. */
const CLAIM_LIMIT_MS = 2_300;
const RETRY_TAKE_MS = 500;
const EXPECT_HAND_OVER_MS = 15_000;
const SUSPENSION_LOOK_MS = 1_000;
/** As `Operations` has it. */
const ORDER_HOLDS_MS = 10_000;

/** What a peer says to a holder that asks it to stay passive. */
export type ConsentSaid =
  | { readonly forMs: number }
  | { readonly why: ConsentRefusal; readonly highestTerm: Term };

/** One life of a heartbeat: interprets the role machine over the simulated store, peers and controller. */
export class SimHeartbeat {
  readonly node: Node;
  readonly incarnation: string;
  readonly process: Process;
  readonly options: RoleOptions;
  readonly #world: World;
  readonly #holding: Lane;
  readonly #watching: Lane;
  readonly #queue: RoleEvent[] = [];
  #busy = false;
  #wakeAt = Number.POSITIVE_INFINITY;
  #clockOffsetMs = 0;
  state: RoleState;
  /** It has cleaned up after its predecessor, and its machine runs. */
  isRunning = false;
  /** Asked to stop, though it may not know yet: its host may stand still. */
  isAskedToStop = false;
  /** On its way to its end. */
  isStopping = false;
  /** The highest term whose tenure ended here without the store knowing. */
  tenureOver: Term | null = null;

  constructor(world: World, node: Node, incarnation: string) {
    this.#world = world;
    this.node = node;
    this.incarnation = incarnation;
    this.process = new Process(node.host, `heartbeat ${node.name}`, world.scheduling);
    const { network, server, knobs } = world;
    const link = new StoreLink({ network, server, place: node.place, process: this.process });
    this.#holding = new Lane(link, this.process);
    this.#watching = new Lane(link, this.process);
    const peers = world.nodes.filter((each) => each !== node).map(({ url }) => url);
    const failbackMs = node === world.nodes[0] ? knobs.failbackMs : null;
    this.options = { self: { node: node.name, incarnation }, ...knobs.role, peers, failbackMs };
    this.state = initialRole(this.nowMs());
    this.process.timer(this.nowMs() + knobs.heartbeatStartMs, () => this.#takeNodeId());
  }

  nowMs(): number {
    return this.node.host.monotonicMs();
  }

  /** As by SIGTERM. */
  stop(): void {
    this.isAskedToStop = true;
    this.process.take(() => {
      this.isStopping = true;
      if (this.isRunning) this.dispatch({ kind: 'stop' });
      else this.#end();
    });
  }

  /** Hands the machine an event; what it causes at once follows in order. */
  dispatch(event: RoleEvent): void {
    if (!this.isRunning || !this.process.isAlive) return;
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#take(next);
    }
    this.#busy = false;
    this.#planWake();
  }

  /** Gives this node's word for a tenure and all below, if it can. */
  testify(held: Held): boolean {
    if (!this.isRunning || !mayTestify(this.state, held, this.options)) return false;
    if (this.#world.rules.testimonyBinds) this.dispatch({ kind: 'testified', term: held.term });
    this.#world.trace?.(this.node.name, `gives its word for term ${held.term}`);
    return true;
  }

  /** An operator, or a preferred peer, wants the role to move to that node. */
  switchOver(to: Node): void {
    const { phase } = this.state;
    if (!this.isRunning || phase.name !== 'serving' || phase.tenure.failingSince !== null) return;
    const { term } = phase.tenure;
    this.node.peers.prepare(to, term, (successor) =>
      this.dispatch({ kind: 'switch-over-asked', successor }),
    );
  }

  /** An operator wants the role to be here, whoever has it. */
  takeByForce(): void {
    if (this.state.phase.name !== 'watching') return;
    const until = this.nowMs() + ORDER_HOLDS_MS;
    this.dispatch({ kind: 'promote-ordered', until, isForced: true });
  }

  /** Gets ready to be handed the lease of that term, if it can. */
  expect(term: Term): boolean {
    const isReady = whyNotReady(this.state, this.options).length === 0;
    if (!this.isRunning || !isReady || this.state.phase.name !== 'watching') return false;
    const until = this.nowMs() + EXPECT_HAND_OVER_MS;
    this.dispatch({ kind: 'hand-over-expected', term, until });
    return true;
  }

  /** As `PairTalk.consent`: it tries to write itself, then binds itself if it may. */
  consent(held: Held, forMs: number, reply: (said: ConsentSaid) => void): void {
    const refuse = (why: ConsentRefusal) => reply({ why, highestTerm: this.state.highestTerm });
    const before = this.isRunning
      ? whyNoConsent(this.state, held.term, this.nowMs())
      : 'not-passive';
    if (before !== null) return refuse(before);
    this.#watching.call<true>({
      limitMs: this.options.callTimeoutMs,
      execute: (server, statement, answer) => server.probe(statement, () => answer(true)),
      done: (written) => {
        if (written !== null) return refuse('store-fine');
        const refusal = whyNoConsent(this.state, held.term, this.nowMs());
        if (refusal !== null) return refuse(refusal);
        const boundMs = Math.min(forMs, this.options.ttlMs);
        if (this.#world.rules.promiseBinds) {
          this.dispatch({ kind: 'consented', term: held.term, until: this.nowMs() + boundMs });
        }
        this.#world.counters.consents += 1;
        reply({ forMs: boundMs });
      },
    });
  }

  /** The wall clock jumped, or the monotonic clock stood still: the next look at both finds out. */
  clocksDisagree(): void {
    const phase = this.#world.dice.between(0, SUSPENSION_LOOK_MS);
    this.process.timer(this.nowMs() + phase, () => this.#lookAtClocks());
  }

  /** What the store answered: it may have waited out a suspension of this host. */
  #answered(event: RoleEvent): void {
    if (!this.isRunning) return;
    this.#lookAtClocks();
    this.dispatch(event);
  }

  #lookAtClocks(): void {
    const offsetMs = this.#offsetMs();
    const isOff = Math.abs(offsetMs - this.#clockOffsetMs) > this.options.marginMs;
    this.#clockOffsetMs = offsetMs;
    if (isOff) this.dispatch({ kind: 'suspended' });
  }

  #offsetMs(): number {
    const { clock } = this.node.host;
    return clock.wallMs() - clock.monotonicMs();
  }

  #takeNodeId(): void {
    const { name } = this.node;
    this.#watching.call<{ had: string | null }>({
      limitMs: this.options.callTimeoutMs,
      execute: (server, _statement, reply) =>
        server.take(name, this.incarnation, (had) => reply({ had })),
      done: (answer) => {
        if (this.isStopping) return;
        if (answer !== null) return this.#begin(answer.had);
        this.process.timer(this.nowMs() + RETRY_TAKE_MS, () => this.#takeNodeId());
      },
    });
  }

  #begin(had: string | null): void {
    const { node } = this;
    const predecessor = had !== null && node.livedInThisBoot(had) ? had : null;
    const live = () => {
      this.isRunning = true;
      this.#clockOffsetMs = this.#offsetMs();
      this.state = initialRole(this.nowMs(), predecessor);
      this.#world.trace?.(
        node.name,
        `runs as ${this.incarnation}, after ${predecessor ?? 'nobody'}`,
      );
      this.dispatch({ kind: 'tick' });
      node.peers.begin(this);
    };
    if (!this.#world.rules.startEndsPredecessor) return live();
    node.endControllers(() => this.process.take(live));
  }

  #take(event: RoleEvent): void {
    const before = this.state.phase.name;
    const { state, effects } = this.#world.rules.step(
      this.state,
      event,
      this.nowMs(),
      this.options,
    );
    this.state = state;
    const after = state.phase.name;
    if (before !== after) {
      this.#world.trace?.(this.node.name, `${before} -> ${after} by ${event.kind}`);
      this.#world.counters.phases[after] += 1;
    }
    for (const effect of effects) this.#execute(effect);
    if (before !== after) this.#world.onPhase(this.node);
  }

  #planWake(): void {
    const at = wakeAt(this.state, this.nowMs(), this.options);
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    const dueMs = Math.max(this.nowMs() + 1, at);
    this.process.timer(dueMs, () => {
      if (this.#wakeAt !== at) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      const wanted = wakeAt(this.state, this.nowMs(), this.options);
      if (wanted <= this.nowMs()) this.dispatch({ kind: 'tick' });
      else this.#planWake();
    });
  }

  #execute(effect: RoleEffect): void {
    const { node } = this;
    const clockOffsetMs = this.#clockOffsetMs;
    switch (effect.kind) {
      case 'read-lease':
        return this.#read();
      case 'claim':
        return this.#claim(effect.claim);
      case 'renew':
        return this.#renew(effect.held, effect.evenIfExpired);
      case 'release':
      case 'break':
        return this.#giveBack(effect.held);
      case 'ask-testimony':
        return node.peers.askTestimony(effect.held);
      case 'ask-consent':
        return node.peers.askConsent(effect.held, effect.forMs);
      case 'hand-over':
        return this.#handOver(effect);
      case 'hold-controller':
        return node.tellController((controller) => controller.hold(effect.forMs));
      case 'resume-controller':
        return node.tellController((controller) => controller.goOn());
      case 'forward-controller':
        return node.tellController((controller) => controller.forward(effect.forMs));
      case 'ask-switch-over':
        return node.peers.askSwitchOver();
      case 'tell-peers-tenure-over':
        this.tenureOver = maxTerm(this.tenureOver ?? 0n, effect.term);
        return node.peers.exchangeNow();
      case 'start-controller':
        return node.startController();
      case 'activate-controller':
        return node.tellController((controller) => controller.activate(effect, clockOffsetMs));
      case 'extend-tenure':
        return node.tellController((controller) =>
          controller.extend(effect.term, effect.trustedUntil),
        );
      case 'drain-controller':
        return node.tellController((controller) => controller.drain(effect.graceMs));
      case 'kill-controller':
        return node.killController();
      case 'tell':
        return;
      case 'finish':
        return this.#finish();
      default:
        return unreachable(effect);
    }
  }

  #read(): void {
    this.#watching.call<LeaseAnswer>({
      limitMs: this.options.callTimeoutMs,
      execute: (server, _statement, reply) => server.read(reply),
      done: (answer) =>
        this.#answered(
          answer === null
            ? { kind: 'read-failed', error: 'no answer' }
            : { kind: 'lease-read', row: answer.row },
        ),
    });
  }

  #claim(claim: Claim): void {
    const sentAt = this.nowMs();
    const { claims } = this.#world.counters;
    claims[claim.basis] = (claims[claim.basis] ?? 0) + 1;
    this.#world.trace?.(this.node.name, `claims: ${claim.evidence}`);
    this.#holding.call<LeaseAnswer>({
      limitMs: CLAIM_LIMIT_MS,
      execute: (server, statement, reply) => server.claim(claim, statement, reply),
      done: (answer) => {
        if (answer === null) return this.#answered({ kind: 'claim-failed', error: 'no answer' });
        const { row, why } = answer;
        if (answer.outcome === 'granted') this.#answered({ kind: 'claim-granted', sentAt, row });
        else {
          const holdsStill = answer.outcome === 'holds-still';
          this.#answered({ kind: 'claim-refused', row, why, holdsStill });
        }
      },
    });
  }

  #renew(held: Held, evenIfExpired: boolean): void {
    const { term } = held;
    const sentAt = this.nowMs();
    this.#holding.call<LeaseAnswer>({
      limitMs: this.options.callTimeoutMs,
      execute: (server, statement, reply) => server.renew(held, evenIfExpired, statement, reply),
      done: (answer) => {
        if (answer === null) {
          return this.#answered({ kind: 'renew-failed', term, sentAt, error: 'no answer' });
        }
        const { row } = answer;
        if (answer.outcome === 'granted') this.#answered({ kind: 'renew-granted', sentAt, row });
        else this.#answered({ kind: 'renew-refused', term, row });
      },
    });
  }

  #handOver({ held, renewSeq, to }: Extract<RoleEffect, { kind: 'hand-over' }>): void {
    const { term } = held;
    this.#holding.call<LeaseAnswer>({
      limitMs: CLAIM_LIMIT_MS,
      execute: (server, statement, reply) =>
        server.handOver({ held, renewSeq, to }, statement, reply),
      done: (answer) => {
        if (answer === null) {
          return this.#answered({ kind: 'hand-over-failed', term, error: 'no answer' });
        }
        const { row } = answer;
        if (answer.outcome === 'granted') this.#answered({ kind: 'handed-over', term, row });
        else this.#answered({ kind: 'hand-over-refused', term, row });
      },
    });
  }

  #giveBack(held: Held): void {
    const { term } = held;
    this.#holding.call<LeaseAnswer>({
      limitMs: this.options.callTimeoutMs,
      execute: (server, statement, reply) => server.release(held, statement, reply),
      done: (answer) =>
        this.#answered(
          answer === null
            ? { kind: 'give-back-failed', term, error: 'no answer' }
            : { kind: 'given-back', term, row: answer.row },
        ),
    });
  }

  /** What the peers were just told, they may still want our word for. */
  #finish(): void {
    if (this.tenureOver === null) return this.#end();
    this.process.timer(this.nowMs() + 2 * this.options.callTimeoutMs, () => this.#end());
  }

  #end(): void {
    this.node.heartbeatEnded(this);
  }
}
