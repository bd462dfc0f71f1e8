import {
  type Attempt,
  type AttemptEvent,
  attemptId,
  isOpen,
  isSettledBy,
  type Outcome,
  orderedAttempt,
  stepAttempt,
} from '@understudy/agent/attempt/attempt';
import { decideStart, type Refusal } from '@understudy/agent/attempt/decide';
import type { Target } from '@understudy/agent/follow/choose';
import {
  beginFollow,
  type FollowEffect,
  type FollowEvent,
  type FollowState,
  type Loss,
  stepFollow,
} from '@understudy/agent/follow/follow';
import { unreachable } from '@understudy/shared/kernel/invariant';
import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import type { Host } from '../kernel/host.ts';
import { Process } from '../kernel/process.ts';
import type { World } from '../world.ts';
import { askControllers } from './ask.ts';
import type { Order, Report } from './messages.ts';
import { Session } from './session.ts';

/** What survives the end of the processes of an agent. */
interface Disk {
  highest: Term;
  journal: string;
  attempts: Map<string, Attempt>;
}

type StartOrder = Extract<Order, { type: 'start' }>;

const SLOTS = 4;
const SERVICE_RESTART_MS = 3_000;

/** A worker host: follows a controller, journals and runs attempts, and reports them; its rules are the real ones. */
export class SimAgent {
  readonly name: string;
  readonly place: number;
  readonly host: Host;
  readonly world: World;
  readonly #disk: Disk;
  #life: Process | null = null;
  #incarnation = '';
  #attempts = new Map<string, Attempt>();
  /** Those of which a controller has yet to hear something. */
  readonly #unsettled = new Map<string, Attempt>();
  #refused = new Map<string, { readonly order: StartOrder; readonly reason: Refusal }>();
  /** Dropped by a controller while their order was on its way to the journal: they end instead of starting. */
  readonly #dropped = new Set<string>();
  #follow: FollowState;
  #session: Session | null = null;
  /** How many sessions this life has begun. */
  #sessions = 0;

  constructor(world: World, name: string, place: number, host: Host) {
    this.world = world;
    this.name = name;
    this.place = place;
    this.host = host;
    this.#disk = { highest: 0n, journal: world.newId(`${name}-journal`), attempts: new Map() };
    this.#follow = beginFollow(0n, 0).state;
  }

  get process(): Process | null {
    return this.#life;
  }

  get highest(): Term {
    return this.#disk.highest;
  }

  get phase(): FollowState['phase'] | 'down' {
    return this.#life === null ? 'down' : this.#follow.phase;
  }

  get followed(): Term | null {
    return this.#follow.phase === 'following' ? this.#follow.target.term : null;
  }

  /** How many attempts take a slot. */
  get open(): number {
    return [...this.#unsettled.values()].filter(isOpen).length;
  }

  start(): void {
    if (this.#life !== null) return;
    this.#life = new Process(this.host, this.name, this.world.scheduling);
    this.#incarnation = this.world.newId(`${this.name}#`);
    this.#attempts = new Map(this.#disk.attempts);
    this.#unsettled.clear();
    for (const [id, attempt] of this.#attempts) this.#settle(id, attempt);
    this.#refused = new Map();
    this.#dropped.clear();
    this.#sessions = 0;
    for (const attempt of this.#attempts.values()) {
      if (attempt.end === null) this.#end(attempt, 'lost', null);
    }
    const { state, effects } = beginFollow(this.#disk.highest, this.nowMs());
    this.#follow = state;
    for (const effect of effects) this.#execute(effect);
  }

  /** What runs ends with it. */
  crash(): void {
    this.#life?.kill();
    this.#life = null;
    this.#session?.abandon();
    this.#session = null;
  }

  /** The disk is empty when it starts again. */
  loseDisk(): void {
    this.crash();
    this.#disk.highest = 0n;
    this.#disk.attempts.clear();
    this.#disk.journal = this.world.newId(`${this.name}-journal`);
  }

  nowMs(): number {
    return this.host.monotonicMs();
  }

  later(ms: number, run: () => void): void {
    this.#life?.timer(this.nowMs() + ms, run);
  }

  /** Who it says that it is. */
  identity() {
    return {
      agent: this.name,
      incarnation: this.#incarnation,
      highestTerm: this.#disk.highest,
    };
  }

  registration() {
    const attempts = [...this.#unsettled.values()].map(({ run, attempt, end }) => {
      return { run, attempt, state: end === null ? 'running' : 'ended' } as const;
    });
    const { journal } = this.#disk;
    return { ...this.identity(), session: this.#sessions, journal, attempts };
  }

  /** The session is registered under that term, or was shown it. */
  hear(term: Term): void {
    this.#disk.highest = maxTerm(this.#disk.highest, term);
  }

  joined(): void {
    this.dispatch({ type: 'joined', term: this.#disk.highest });
  }

  lost(session: Session, loss: Loss): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.dispatch({ type: 'heard', term: this.#disk.highest });
    this.dispatch({ type: 'lost', jitter: this.world.dice.next(), ...loss });
  }

  /** Ends what the controller does not want. */
  drop(key: { readonly run: string; readonly attempt: number }): void {
    const attempt = this.#attempts.get(attemptId(key));
    if (attempt === undefined || attempt.phase === 'acknowledged') return;
    if (attempt.phase === 'ordered') {
      this.#dropped.add(attemptId(key));
      return;
    }
    if (attempt.end === null) this.#end(attempt, 'lost', null);
    this.#step(attempt, { type: 'end-acknowledged' });
  }

  /** False: the session speaks for a term that is over. */
  order(order: Order): boolean {
    this.hear(order.term);
    const isStale = order.term < this.#disk.highest;
    if (order.type !== 'start') return !isStale;
    this.#startOrder(order);
    return true;
  }

  /** What a controller has yet to learn. */
  due(): Report[] {
    const due: Report[] = [];
    for (const { order, reason } of this.#refused.values()) {
      due.push({ type: 'refused', run: order.run, attempt: order.attempt, reason });
    }
    for (const of of this.#unsettled.values()) {
      const { run, attempt, start, startAcknowledged, end } = of;
      if (start !== null && !startAcknowledged) due.push({ type: 'started', run, attempt, of });
      if (end === null) continue;
      due.push({ type: 'ended', run, attempt, outcome: end.outcome, exitCode: end.exitCode, of });
    }
    return due;
  }

  acknowledge(reports: readonly Report[]): void {
    for (const report of reports) {
      const id = attemptId(report);
      const attempt = this.#attempts.get(id);
      if (report.type === 'refused') this.#refused.delete(id);
      else if (attempt !== undefined && isSettledBy(attempt, report.of)) {
        const event = report.type === 'started' ? 'start-acknowledged' : 'end-acknowledged';
        this.#step(attempt, { type: event });
      }
    }
  }

  dispatch(event: FollowEvent): void {
    const { everyMs, limit } = this.world.knobs.work;
    const before = this.#follow.phase;
    const { state, effects } = stepFollow(this.#follow, event, this.nowMs(), { everyMs, limit });
    this.#follow = state;
    const why = event.type === 'lost' ? `: ${event.reason}` : '';
    if (state.phase !== before) this.world.trace?.(this.name, `${before} -> ${state.phase}${why}`);
    for (const effect of effects) this.#execute(effect);
  }

  #execute(effect: FollowEffect): void {
    switch (effect.type) {
      case 'ask':
        return askControllers(this, effect.beyond, (answers) =>
          this.dispatch({ type: 'answered', answers, jitter: this.world.dice.next() }),
        );
      case 'wake':
        return this.later(effect.atMs - this.nowMs(), () => this.dispatch({ type: 'woken' }));
      case 'follow':
        return this.#join(effect.target);
      case 'give-up':
        this.world.trace?.(this.name, 'gives up');
        this.world.counters.agentsGaveUp += 1;
        this.crash();
        return this.world.engine.after(SERVICE_RESTART_MS, () => this.start());
      case 'tell':
        return;
      default:
        return unreachable(effect);
    }
  }

  #join({ url }: Target): void {
    const node = this.world.nodes[Number(url)];
    if (node === undefined) return;
    this.#sessions += 1;
    const session = new Session(this, node);
    this.#session = session;
    session.begin();
  }

  #startOrder(order: StartOrder): void {
    const { rules, audit } = this.world;
    const id = attemptId(order);
    const known = this.#attempts.get(id);
    const decision = decideStart(order.term, {
      highest: rules.agentChecksTerm ? this.#disk.highest : 0n,
      known,
      refused: this.#refused.get(id)?.reason,
      open: this.open,
      slots: SLOTS,
      closing: 'no',
    });
    switch (decision.type) {
      case 'start':
        audit.work.accepted(this, order);
        return this.#begin(order);
      case 'answer':
        if (known !== undefined) this.#step(known, { type: 'asked-again' });
        return this.#session?.report();
      case 'refuse':
        this.world.trace?.(this.name, `refuses ${id}: ${decision.reason}`);
        this.#refused.set(id, { order, reason: decision.reason });
        return this.#session?.report();
      default:
        return unreachable(decision);
    }
  }

  /** Into the journal first, then the process. */
  #begin(order: StartOrder): void {
    const { dice, knobs, audit } = this.world;
    const ordered = orderedAttempt(order, order.term);
    this.#attempts.set(attemptId(order), ordered);
    this.#unsettled.set(attemptId(order), ordered);
    this.later(dice.scale(0.1, knobs.work.diskMs), () => {
      const journalled = this.#step(ordered, { type: 'journalled' });
      if (journalled === null) return;
      if (this.#dropped.delete(attemptId(order))) return this.drop(order);
      audit.work.started(this, order);
      const start = { atMs: this.nowMs(), pid: 1 };
      this.#step(journalled, { type: 'started', start });
      this.#session?.report();
      const isWell = dice.chance(0.8);
      this.later(dice.scale(5, knobs.work.longestRunMs), () => {
        const running = this.#attempts.get(attemptId(order));
        if (running === undefined || running.end !== null) return;
        this.#end(running, 'exited', isWell ? 0 : 1);
      });
    });
  }

  #end(attempt: Attempt, outcome: Outcome, exitCode: number | null): void {
    const how = { outcome, exitCode, signal: null, reason: null, logBytes: 0 };
    this.#step(attempt, { type: 'ended', end: { ...how, atMs: this.nowMs() } });
    this.#session?.report();
  }

  #step({ run, attempt }: Attempt, event: AttemptEvent): Attempt | null {
    const id = attemptId({ run, attempt });
    const before = this.#attempts.get(id);
    if (before === undefined) return null;
    const after = stepAttempt(before, event);
    this.#attempts.set(id, after);
    this.#settle(id, after);
    if (this.world.rules.agentJournals) this.#disk.attempts.set(id, after);
    return after;
  }

  #settle(id: string, attempt: Attempt): void {
    if (attempt.phase === 'acknowledged') this.#unsettled.delete(id);
    else this.#unsettled.set(id, attempt);
  }
}
