import { RunQueue, waitingOf } from '@understudy/controller/dispatch/queue';
import { judgeUnknown, type Told, unwantedOf } from '@understudy/controller/dispatch/reconcile';
import {
  isOver,
  type Moment,
  openAttempt,
  type RunRecord,
} from '@understudy/controller/dispatch/run';
import { idleSignEveryMs, isSilent } from '@understudy/controller/dispatch/silence';
import {
  dispatchRun,
  endAttempt,
  loseAttempt,
  refuseAttempt,
  startRun,
  waitMs,
} from '@understudy/controller/dispatch/transitions';
import type { Term } from '@understudy/shared/kernel/term';
import type { SimCommitter } from '../node/committer.ts';
import type { SimController } from '../node/controller.ts';
import { followerOf } from '../node/user-run.ts';
import type { Loaded } from '../store/repository.ts';
import type { World } from '../world.ts';
import type { Report } from './messages.ts';
import type { OrderStream } from './order-stream.ts';

export interface Registration {
  readonly agent: string;
  readonly incarnation: string;
  /** Numbers the registrations of this incarnation. */
  readonly session: number;
  readonly journal: string;
  readonly highestTerm: Term;
  readonly attempts: readonly Told[];
}

interface Known {
  session: number;
  /** Incarnations that others have replaced. */
  readonly past: readonly string[];
  incarnation: string;
  journal: string;
  isRegistered: boolean;
  stream: OrderStream | null;
  heardAt: number;
  /** Since when it has something under way; null: it has not. */
  atWorkSince: number | null;
  /** Counts the waits for its return, so that an old one does not count. */
  waits: number;
}

interface Entry {
  working: RunRecord;
  isCommitted: boolean;
  orderSent: number;
}

const SLOTS = 4;

/** The work plane of one tenure: the queue, the agents, and what they report; decided by the real rules. */
export class WorkPlane {
  readonly #world: World;
  readonly #controller: SimController;
  readonly #committer: SimCommitter;
  readonly #term: Term;
  readonly #runs = new Map<string, Entry>();
  readonly #agents = new Map<string, Known>();
  readonly #queue = new RunQueue();
  #isKicked = false;

  constructor(world: World, controller: SimController, committer: SimCommitter, term: Term) {
    this.#world = world;
    this.#controller = controller;
    this.#committer = committer;
    this.#term = term;
  }

  load({ runs, journals }: Loaded): void {
    for (const run of runs) {
      this.#runs.set(run.id, { working: run, isCommitted: true, orderSent: 0 });
      this.#enqueue(run);
    }
    const withWork = runs.flatMap((run) => openAttempt(run)?.agent ?? []);
    for (const agent of new Set([...journals.keys(), ...withWork])) {
      const journal = journals.get(agent) ?? '';
      const nobody = { incarnation: '', session: 0, past: [], isRegistered: false };
      const known = { ...nobody, journal, stream: null };
      this.#agents.set(agent, { ...known, heardAt: 0, atWorkSince: null, waits: 0 });
      this.#awaitReturn(agent);
    }
    this.#beat();
  }

  /** A run that a user asked for; goes on when it is committed. */
  create(run: RunRecord, done: () => void): void {
    if (isOver(run.state)) return this.#committer.commit({ newRuns: [run], done });
    this.#runs.set(run.id, { working: run, isCommitted: false, orderSent: 0 });
    this.#committer.commit({
      newRuns: [run],
      done: () => {
        const entry = this.#runs.get(run.id);
        if (entry !== undefined) entry.isCommitted = true;
        this.#enqueue(run);
        done();
      },
    });
  }

  /** A worker introduces itself. Answers what it runs that is not wanted; null: refused. */
  register(message: Registration, reply: (unwanted: readonly Key[] | null) => void): void {
    const { agent, incarnation, session, journal } = message;
    if (!this.#isTermSound(message.highestTerm) || this.#committer.isAway) return reply(null);
    const known = this.#agents.get(agent);
    if (known?.stream != null && known.incarnation !== incarnation) return reply(null);
    if (known !== undefined && isLate(known, message)) return reply(null);
    known?.stream?.close();
    const isSameJournal = known?.journal === journal;
    const heardAt = this.#nowMs();
    const waits = known?.waits ?? 0;
    const past =
      known === undefined || known.incarnation === incarnation
        ? (known?.past ?? [])
        : [...known.past, known.incarnation];
    this.#agents.set(agent, {
      ...{ session, past, incarnation, journal, heardAt, waits },
      ...{ isRegistered: true, stream: null, atWorkSince: null },
    });
    this.#awaitReturn(agent);
    const { attempts } = message;
    const runs = judgeUnknown(
      {
        ...{ agent, attempts, isSameJournal },
        open: this.#openOn(agent),
        isOrderPending: (run) => this.#isOrderPending(run),
      },
      this.#moment(),
    );
    this.#change(runs, () => reply(unwantedOf(attempts, (id) => this.#open(id))), [
      [agent, journal],
    ]);
  }

  connect({ agent, incarnation, session }: Registration, stream: OrderStream): boolean {
    const known = this.#session(agent, incarnation);
    if (known === null || known.session !== session) return false;
    known.stream?.close();
    known.stream = stream;
    known.waits += 1;
    stream.send({ type: 'hello', term: this.#term });
    this.#kick();
    return true;
  }

  disconnected(agent: string, stream: OrderStream): void {
    const known = this.#agents.get(agent);
    if (known === undefined || known.stream !== stream) return;
    known.stream = null;
    this.#awaitReturn(agent);
  }

  /** A batch of reports; answers whether it is committed. `gone`: register first. */
  report(
    { agent, incarnation, highestTerm }: Omit<Registration, 'attempts' | 'journal' | 'session'>,
    reports: readonly Report[],
    reply: (answer: 'taken' | 'gone' | 'away') => void,
  ): void {
    if (!this.#isTermSound(highestTerm)) return reply('gone');
    if (this.#session(agent, incarnation) === null) return reply('gone');
    if (reports.length === 0) return reply('taken');
    if (this.#committer.isAway) return reply('away');
    const changed = new Map<string, RunRecord>();
    for (const report of reports) {
      const run = changed.get(report.run) ?? this.#open(report.run);
      if (run === null) continue;
      const next = this.#take(run, report, agent);
      if (next !== run) changed.set(run.id, next);
    }
    this.#change([...changed.values()], () => reply('taken'));
  }

  leave(): void {
    for (const known of this.#agents.values()) {
      known.stream?.send({ type: 'leave', term: this.#term });
      known.stream = null;
    }
  }

  #take(run: RunRecord, report: Report, agent: string): RunRecord {
    const attempt = run.attempts.find(({ number }) => number === report.attempt);
    if (attempt?.agent !== agent || isOver(attempt.state)) return run;
    const moment = this.#moment();
    switch (report.type) {
      case 'started':
        return startRun(run, moment.now, moment);
      case 'ended': {
        const { outcome, exitCode } = report;
        const end = { at: moment.now, outcome, exitCode, signal: null, reason: null };
        return endAttempt(run, end, moment);
      }
      case 'refused':
        return attempt.state === 'dispatched' && openAttempt(run) === attempt
          ? refuseAttempt(run, report.reason, moment)
          : run;
    }
  }

  #kick(): void {
    if (this.#isKicked) return;
    this.#isKicked = true;
    this.#later(0.1, () => {
      this.#isKicked = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#queue.size === 0 || this.#committer.isAway || !this.#controller.mayAct()) return;
    // What waits is looked at again with the next beat, should the role stay.
    if (!this.#controller.isOpen) return;
    const candidates = [...this.#agents].flatMap(([id, { stream }]) => {
      const free = SLOTS - this.#openOn(id).length;
      return stream === null || free <= 0 ? [] : [{ id, labels: {}, free }];
    });
    if (candidates.length === 0) return;
    const assigned = this.#queue
      .take(candidates, () => 0)
      .flatMap(({ run: id, agent }) => {
        const run = this.#open(id);
        const stream = this.#agents.get(agent)?.stream ?? null;
        if (run?.state !== 'queued' || stream === null) return [];
        return [{ run: dispatchRun(run, agent, this.#moment()), stream }];
      });
    if (assigned.length === 0) return;
    const runs = assigned.map(({ run }) => run);
    this.#change(runs, () => {
      for (const { run, stream } of assigned) this.#order(run, stream);
    });
  }

  /** The order goes out only on the stream for which it was decided; else it certainly never starts. */
  #order(decided: RunRecord, stream: OrderStream): void {
    this.#controller.whenMayAct(() => {
      const run = this.#open(decided.id);
      const attempt = run === null ? null : openAttempt(run);
      if (run === null || attempt === null || attempt.number !== decided.attempts.length) return;
      if (this.#agents.get(attempt.agent)?.stream !== stream) {
        return this.#change([refuseAttempt(run, 'the agent went away', this.#moment())]);
      }
      const entry = this.#runs.get(run.id);
      if (entry !== undefined) entry.orderSent = attempt.number;
      const { delivery } = run.spec;
      stream.send({
        ...{ type: 'start', term: this.#term, run: run.id },
        ...{ attempt: attempt.number, delivery },
      });
    });
  }

  #change(
    runs: readonly RunRecord[],
    done?: () => void,
    journals: readonly (readonly [string, string])[] = [],
  ): void {
    for (const run of runs) {
      const entry = this.#runs.get(run.id);
      if (entry === undefined) continue;
      this.#world.trace?.(
        this.#controller.node.name,
        `run ${run.id}: ${entry.working.state} -> ${run.state}, attempt ${run.attempts.length} ${run.reason ?? ''}`,
      );
      entry.working = run;
      if (run.state === 'queued') this.#enqueue(run);
      else this.#queue.remove(run.id);
    }
    const newRuns = runs.flatMap((run) => followerOf(run, this.#moment()) ?? []);
    const isWithCause = this.#world.rules.followersTravelWithCause;
    this.#committer.commit({
      ...{ runs, journals, newRuns: isWithCause ? newRuns : [] },
      done: () => {
        for (const { id } of runs) {
          const entry = this.#runs.get(id);
          if (entry !== undefined && isOver(entry.working.state)) this.#runs.delete(id);
        }
        for (const run of newRuns) {
          if (isWithCause) this.#takeIn(run);
          else this.create(run, () => undefined);
        }
        done?.();
      },
    });
    if (runs.length > 0) this.#kick();
  }

  /** A run that is committed. */
  #takeIn(run: RunRecord): void {
    this.#runs.set(run.id, { working: run, isCommitted: true, orderSent: 0 });
    this.#enqueue(run);
  }

  #enqueue(run: RunRecord): void {
    if (run.state !== 'queued' || this.#runs.get(run.id)?.isCommitted !== true) return;
    const pauseMs = waitMs(run, this.#moment().now);
    if (pauseMs === 0) this.#toQueue(run);
    else this.#later(pauseMs, () => this.#open(run.id) === run && this.#toQueue(run));
  }

  #toQueue(run: RunRecord): void {
    this.#queue.add(waitingOf(run));
    this.#kick();
  }

  #beat(): void {
    this.#later(this.#world.knobs.work.beatEveryMs, () => this.#beat());
    if (!this.#controller.mayAct()) return;
    const now = this.#nowMs();
    const idleSignMs = idleSignEveryMs(this.#world.knobs.work.lostAfterMs);
    for (const [agent, known] of this.#agents) {
      const isAtWork = this.#openOn(agent).length > 0;
      known.atWorkSince = isAtWork ? (known.atWorkSince ?? now) : null;
      if (isSilent(known, now, idleSignMs)) known.stream?.close();
      else known.stream?.send({ type: 'beat', term: this.#term });
    }
    if (this.#queue.size > 0) this.#kick();
  }

  #awaitReturn(agent: string): void {
    const known = this.#agents.get(agent);
    if (known === undefined) return;
    known.waits += 1;
    const { waits } = known;
    this.#later(this.#world.knobs.work.lostAfterMs, () => {
      if (this.#agents.get(agent)?.waits !== waits) return;
      if (this.#committer.isAway || !this.#controller.mayAct()) return this.#awaitReturn(agent);
      known.isRegistered = false;
      const moment = this.#moment();
      this.#change(this.#openOn(agent).map((run) => loseAttempt(run, 'the agent is lost', moment)));
    });
  }

  #session(agent: string, incarnation: string): Known | null {
    const known = this.#agents.get(agent);
    if (known?.isRegistered !== true || known.incarnation !== incarnation) return null;
    known.heardAt = this.#nowMs();
    return known;
  }

  #isTermSound(highest: Term): boolean {
    if (highest <= this.#term) return true;
    this.#controller.sawHigherTerm(highest);
    return false;
  }

  #open(id: string): RunRecord | null {
    const working = this.#runs.get(id)?.working;
    return working === undefined || isOver(working.state) ? null : working;
  }

  #openOn(agent: string): RunRecord[] {
    const found: RunRecord[] = [];
    for (const { working } of this.#runs.values()) {
      if (openAttempt(working)?.agent === agent) found.push(working);
    }
    return found;
  }

  #isOrderPending(run: RunRecord): boolean {
    const attempt = openAttempt(run);
    return (
      attempt?.state === 'dispatched' &&
      attempt.orderedTerm === this.#term &&
      this.#runs.get(run.id)?.orderSent !== attempt.number
    );
  }

  #moment(): Moment {
    return { now: Math.round(this.#controller.node.host.clock.wallMs()), term: this.#term };
  }

  #later(ms: number, run: () => void): void {
    this.#controller.process.timer(this.#nowMs() + ms, run);
  }

  #nowMs(): number {
    return this.#controller.node.host.monotonicMs();
  }
}

/** As `refuseLate` of the controller: it was delayed on its way, and a newer one has come. */
function isLate(known: Known, { incarnation, session }: Registration): boolean {
  const isSame = known.incarnation === incarnation;
  return (isSame && session <= known.session) || known.past.includes(incarnation);
}

export interface Key {
  readonly run: string;
  readonly attempt: number;
}
