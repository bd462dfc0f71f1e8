import type { RunRecord } from '@understudy/controller/dispatch/run';
import { TenureGuard } from '@understudy/controller/tenure/guard';
import type { RoleEvent } from '@understudy/heartbeat/role/state';
import type { Term } from '@understudy/shared/kernel/term';
import { msToNs } from '@understudy/shared/runtime/clock';
import { Process } from '../kernel/process.ts';
import { StoreLink } from '../store/link.ts';
import { WorkPlane } from '../work/plane.ts';
import type { World } from '../world.ts';
import { SimCommitter } from './committer.ts';
import { Gate } from './gate.ts';
import type { SimHeartbeat } from './heartbeat.ts';
import type { Node } from './node.ts';
import { userRun } from './user-run.ts';

const WARM_RETRY_MS = 500;
const WARM_LIMIT_MS = 2_000;

/** So many runs are open at a time; more would only wait. */
const MAX_OPEN = 6;

type Phase = 'loading' | 'unready' | 'ready' | 'activating' | 'serving' | 'leaving';

/** The built-in controller: warm, then active for one tenure, then over. */
export class SimController {
  readonly node: Node;
  readonly process: Process;
  /** The thread that kills the process after its deadline; it runs while the event loop hangs. */
  readonly #watchdog: Process;
  readonly #world: World;
  readonly #heartbeat: SimHeartbeat;
  readonly #link: StoreLink;
  #phase: Phase = 'loading';
  #guard: TenureGuard | null = null;
  #committer: SimCommitter | null = null;
  #work: WorkPlane | null = null;
  #waiting: (() => void)[] = [];
  #hasSlept = false;
  #isHung = false;
  #underWay = 0;
  readonly #gate = new Gate();
  readonly #killLagMs: number;

  constructor(world: World, node: Node, heartbeat: SimHeartbeat) {
    this.#world = world;
    this.node = node;
    this.#heartbeat = heartbeat;
    this.#killLagMs = world.knobs.killMs * world.dice.next();
    const name = `controller ${node.name}`;
    this.process = new Process(node.host, name, world.scheduling);
    this.#watchdog = new Process(node.host, name, world.scheduling);
    const { network, server, knobs } = world;
    this.#link = new StoreLink({ network, server, place: node.place, process: this.process });
    this.#later(knobs.controllerStartMs, () => this.#warm());
  }

  get term(): Term | null {
    return this.#guard?.term ?? null;
  }

  get work(): WorkPlane | null {
    return this.#work;
  }

  get isServing(): boolean {
    return this.#phase === 'serving';
  }

  get isHung(): boolean {
    return this.#isHung;
  }

  /** Whether users may get a success answer at this moment, one that was decided on just before included. */
  canAnswer(): boolean {
    const guard = this.#guard;
    if (guard === null || !this.process.isRunning) return false;
    if (this.#phase !== 'serving' && this.#phase !== 'leaving') return false;
    if (this.#world.knobs.isWrapped) return true;
    const isLetGo = this.#gate.phase === 'held' || this.#gate.phase === 'forwarding';
    if (isLetGo && this.#world.rules.holdStops) return false;
    if (!this.#world.rules.controllerHasDeadline || guard.mayAct()) return true;
    const { knobs } = this.#world;
    const decidedAt = this.#nowMs() - knobs.actLagMs;
    return !this.#hasSlept && msToNs(decidedAt) < guard.trustedUntilNs;
  }

  /** Whether it may be acted for the term now. */
  mayAct(): boolean {
    return !this.#world.rules.controllerHasDeadline || this.#guard?.mayAct() === true;
  }

  /** Goes on when it may be acted for the term, after the next renewal if need be. */
  whenMayAct(run: () => void): void {
    if (this.mayAct()) run();
    else this.#waiting.push(run);
  }

  /** Somebody showed a term above ours: it has been granted, so ours is over. */
  sawHigherTerm(term: Term): void {
    this.#say({ kind: 'controller-saw-higher-term', term });
  }

  /** SIGSTOP: all of it stands still. */
  pause(): void {
    this.process.pause();
    this.#watchdog.pause();
  }

  resume(): void {
    this.#watchdog.resume();
    this.process.resume();
    this.#world.audit.acts(this);
  }

  /** The event loop does not turn any more; the watchdog thread does. */
  hang(): void {
    if (this.#isHung) return;
    this.#isHung = true;
    this.process.pause();
  }

  recover(): void {
    if (!this.#isHung) return;
    this.#isHung = false;
    this.process.resume();
    this.#world.audit.acts(this);
  }

  die(why: string): void {
    if (!this.process.isAlive) return;
    this.#world.trace?.(this.node.name, `the controller (${this.#phase}) ends: ${why}`);
    this.process.kill();
    this.#watchdog.kill();
    this.node.controllerDied(this, why);
  }

  activate(
    { term, trustedUntil }: { readonly term: Term; readonly trustedUntil: number },
    clockOffsetMs: number,
  ): void {
    if (this.#guard !== null) return;
    const { knobs } = this.#world;
    const { ttlMs, marginMs } = knobs.timers;
    this.#guard = new TenureGuard(
      { term, trustedUntilNs: msToNs(trustedUntil), clockOffsetMs },
      {
        clock: this.node.host.clock,
        trustMs: ttlMs - marginMs,
        onSlept: () => {
          this.#hasSlept = true;
        },
      },
    );
    this.#phase = 'activating';
    this.#watch();
    if (knobs.isWrapped) return this.#later(knobs.serveMs, () => this.#serve());
    this.#committer = new SimCommitter({
      process: this.process,
      link: this.#link,
      term,
      whenMayAct: (run) => this.whenMayAct(run),
      actLagMs: () => this.#lag(),
      onCommitted: () => undefined,
      onDeposed: () => this.die('fenced off'),
    });
    this.#say({ kind: 'controller-listening', term });
    const work = new WorkPlane(this.#world, this, this.#committer, term);
    this.#committer.load((loaded) => {
      this.#later(knobs.serveMs, () => {
        this.#work = work;
        work.load(loaded);
        this.#serve();
      });
    });
  }

  extend(term: Term, trustedUntilMs: number): void {
    const guard = this.#guard;
    if (guard === null) return;
    const before = guard.trustedUntilNs;
    guard.extend({ term, trustedUntilNs: msToNs(trustedUntilMs) });
    if (guard.trustedUntilNs === before) return;
    if (this.mayAct()) this.#hasSlept = false;
    this.#world.audit.acts(this);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) this.whenMayAct(run);
  }

  /** Answers what is under way, then ends. */
  drain(graceMs: number): void {
    if (this.#phase === 'serving') {
      this.#phase = 'leaving';
      this.#work?.leave();
    }
    this.#later(graceMs, () => this.die('its time to drain is over'));
    this.#endWhenDrained();
  }

  /** Parks what comes and waits until nothing is under way, for `forMs` at most; else all goes on. */
  hold(forMs: number): void {
    const { rules } = this.#world;
    if (this.#gate.phase !== 'open' || this.#phase !== 'serving') {
      return this.#say({ kind: 'controller-hold-failed', reason: 'it does not serve' });
    }
    if (!rules.holdStops) {
      this.#gate.phase = 'held';
      return this.#say({ kind: 'controller-held' });
    }
    this.#gate.phase = 'holding';
    this.#untilQuiet(this.#nowMs() + forMs);
  }

  #untilQuiet(untilMs: number): void {
    if (this.#gate.phase !== 'holding') return;
    const isQuiet = this.#underWay === 0 && this.#committer?.isIdle === true && this.mayAct();
    if (isQuiet && this.#waiting.length === 0) {
      this.#guard?.hold();
      this.#gate.phase = 'held';
      return this.#say({ kind: 'controller-held' });
    }
    if (this.#nowMs() < untilMs) return this.#later(2, () => this.#untilQuiet(untilMs));
    this.goOn();
    this.#say({ kind: 'controller-hold-failed', reason: 'something is under way' });
  }

  /** The lease was not handed over: all goes on. */
  goOn(): void {
    if (this.#gate.phase !== 'holding' && this.#gate.phase !== 'held') return;
    this.#guard?.resume();
    this.#gate.open();
    this.#wake();
    this.#world.audit.acts(this);
  }

  /** The lease is somebody else's: what comes is sent on to it, for a while. */
  forward(forMs: number): void {
    if (this.#gate.phase === 'forwarding') return;
    this.#guard?.hold();
    this.#gate.forward();
    this.#work?.leave();
    this.#later(forMs, () => this.die('has forwarded for long enough'));
  }

  /** Whether new work may be given out. */
  get isOpen(): boolean {
    return this.#gate.phase === 'open';
  }

  /** A request has arrived: it is answered now, or once the role has stayed or moved. */
  admit(answer: (controller: SimController | null) => void): void {
    this.#gate.enter(
      () => answer(this),
      () => answer(null),
    );
  }

  /** A user asks for a run. */
  request(): void {
    this.process.take(() => this.admit((controller) => controller?.take()));
  }

  take(): void {
    if (this.#world.knobs.isWrapped) {
      if (this.canAnswer()) this.#world.audit.answered(this, null);
      return;
    }
    if (this.#phase !== 'serving' || this.#committer === null || this.#committer.isAway) return;
    if (!this.mayAct()) return;
    const { newId, agents, server } = this.#world;
    const now = this.node.host.clock.wallMs();
    const isWanted = agents.length > 0 && server.repository.openCount < MAX_OPEN;
    const run = userRun(newId('r'), { term: this.term ?? 0n, now, isWanted });
    this.#underWay += 1;
    this.#work?.create(run, () => this.#answer(run));
  }

  #warm(): void {
    if (this.#guard !== null) return;
    const deadlineMs = this.#nowMs() + WARM_LIMIT_MS;
    let isOver = false;
    const conclude = (isWell: boolean) => {
      if (isOver || this.#guard !== null) return;
      isOver = true;
      this.#phase = isWell ? 'ready' : 'unready';
      this.#say(
        isWell
          ? { kind: 'controller-ready' }
          : { kind: 'controller-unready', problems: ['the database does not answer'] },
      );
      if (!isWell) this.#later(WARM_RETRY_MS, () => this.#warm());
    };
    const isSent = this.#link.request<null>(
      (_server, reply) => reply(null),
      () => conclude(this.#nowMs() <= deadlineMs),
    );
    this.#later(isSent ? WARM_LIMIT_MS : 1, () => conclude(false));
  }

  #serve(): void {
    if (this.#phase !== 'activating') return;
    this.#phase = 'serving';
    const term = this.term ?? 0n;
    this.#say({ kind: 'controller-serving', term });
    this.#world.trace?.(this.node.name, `the controller serves term ${term}`);
    this.#world.audit.acts(this);
  }

  #answer(run: RunRecord): void {
    const lagMs = this.#lag();
    if (this.mayAct()) {
      // One that is stopped between the look and the act is out of anybody's reach.
      this.#world.engine.after(lagMs, () => {
        if (this.process.isRunning) this.#world.audit.answered(this, run);
      });
    }
    this.#later(lagMs + 0.1, () => {
      this.#underWay -= 1;
      this.#endWhenDrained();
    });
  }

  #endWhenDrained(): void {
    if (this.#phase !== 'leaving' || this.#underWay > 0) return;
    // The last answers are on their way.
    this.#later(this.#world.knobs.actLagMs + 1, () => this.die('it was asked to'));
  }

  /** Kills the process G after its deadline, unless that was moved. */
  #watch(): void {
    const guard = this.#guard;
    if (guard === null || !this.#world.rules.controllerHasDeadline) return;
    if (this.#gate.phase === 'forwarding') return;
    const { knobs } = this.#world;
    // A guard kills the group of a wrapped program at the deadline, which takes a moment.
    const lateMs = knobs.isWrapped ? this.#killLagMs : knobs.timers.killWithinMs;
    const endMs = Number(guard.trustedUntilNs) / 1e6 + lateMs;
    if (this.#nowMs() >= endMs - 1e-3) return this.die('its tenure ran out');
    this.#watchdog.timer(endMs, () => this.#watch());
  }

  #say(event: RoleEvent): void {
    if (this.node.heartbeat === this.#heartbeat) this.node.hear(this, event);
  }

  /** Between a look at the tenure and the act that it allows, in milliseconds. */
  #lag(): number {
    const { dice, knobs } = this.#world;
    return dice.chance(0.2) ? knobs.actLagMs * dice.next() : 0;
  }

  #later(ms: number, run: () => void): void {
    this.process.timer(this.#nowMs() + ms, run);
  }

  #nowMs(): number {
    return this.node.host.monotonicMs();
  }
}
