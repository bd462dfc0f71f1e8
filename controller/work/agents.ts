import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { mannerOf } from '@understudy/shared/protocol/action';
import type { Register, RegisteredWire, Reports } from '@understudy/shared/protocol/agent';
import type { Job } from '@understudy/shared/protocol/api';
import { labelsOfAbilities, selectorOf } from '../dispatch/abilities.ts';
import { type Candidate, matches } from '../dispatch/queue.ts';
import { judgeUnknown, unwantedOf } from '../dispatch/reconcile.ts';
import { openAttempt, type RunRecord } from '../dispatch/run.ts';
import { idleSignEveryMs, isSilent } from '../dispatch/silence.ts';
import { abandonRun, cancelRun, loseAttempt } from '../dispatch/transitions.ts';
import { type By, NOBODY } from '../security/audit.ts';
import type { Changes } from '../store/changes.ts';
import type { AgentRecord, EventKind, NewEvent } from '../store/records.ts';
import { Absences } from './absences.ts';
import {
  type AgentEntry,
  absentEntry,
  type OrderStream,
  pastOf,
  refuseLate,
} from './agent-entry.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import { Drains } from './drains.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

export interface AgentsConfig {
  readonly beatEveryMs: number;
  readonly lostAfterMs: number;
}

/**
 * The agents: who is registered, who is connected, who is lost. An agent is judged by what it says when it
 * registers, and by its absence after `lostAfterMs`, never before.
 */
export class AgentService {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #config: AgentsConfig;
  readonly #agents = new Map<string, AgentEntry>();
  readonly #absences: Absences;
  /** By run: attempts whose end could not be ordered because the tenure was in doubt. */
  readonly #unsentEnds = new Map<string, { readonly attempt: number; readonly reason: string }>();
  readonly #drains: Drains;
  #beats: NodeJS.Timeout | null = null;
  /** Somebody showed a term above ours: it has been granted, so ours is over. */
  onHigherTerm: (term: Term) => void = () => undefined;

  constructor(context: TenureContext, state: WorkState, config: AgentsConfig) {
    this.#context = context;
    this.#state = state;
    this.#config = config;
    this.#absences = new Absences(config.lostAfterMs, (id) => this.#giveUp(id));
    this.#drains = new Drains(
      () => context.clock.wallMs(),
      (id) => this.#endDrain(id),
    );
  }

  /** Takes over the agents of the past tenures: each has its time to come. */
  load(records: readonly AgentRecord[]): void {
    for (const record of records) {
      this.#agents.set(record.id, absentEntry(record));
      if (!record.lost) this.#absences.begin(record.id);
      this.#drains.set(record.id, record.drainUntil);
    }
    for (const id of this.#state.agentsWithWork()) this.#absences.begin(id);
    this.#beats = setInterval(() => this.#beat(), this.#config.beatEveryMs);
  }

  /** A worker introduces itself and says what it runs. Whatever else we thought it ran is judged now. */
  async register(message: Register): Promise<RegisteredWire> {
    this.checkTerm(message.highestTerm);
    requireStore(this.#context);
    const known = this.#agents.get(message.agent);
    const isOther = known?.record.incarnation !== message.incarnation;
    if (known?.stream != null && isOther) {
      throw new Refusal(
        'duplicate-agent',
        `agent ${message.agent} is connected as another process`,
      );
    }
    refuseLate(known, message);
    const { now } = momentOf(this.#context);
    const { agent: id, incarnation, journal, version, labels, slots } = message;
    const { draining = false, drainUntil = null } = known?.record ?? {};
    const facts = { incarnation, journal, version, labels, slots, draining, drainUntil };
    const isSameJournal = journal !== null && known?.record.journal === journal;
    const record: AgentRecord = { id, ...facts, lost: false, lastSeenAt: now };
    known?.stream?.close();
    const heardAt = this.#context.clock.monotonicMs();
    const past = pastOf(known, incarnation);
    const { session } = message;
    const abilities = labelsOfAbilities(message.abilities);
    const voice = { heardAt, atWorkSince: null };
    const present = { isRegistered: true, session, abilities, past, stream: null, ...voice };
    this.#agents.set(id, { record, ...present });
    this.#absences.begin(id);
    const commit = this.#state.apply({
      agents: [record],
      runs: judgeUnknown(
        {
          agent: id,
          attempts: message.attempts,
          isSameJournal,
          open: this.#state.openOnAgent(id),
          isOrderPending: (run) => this.#state.isOrderPending(run),
        },
        momentOf(this.#context),
      ),
    });
    await committed(this.#context, commit);
    return {
      term: formatTerm(this.#context.term),
      node: this.#context.node,
      beatEveryMs: this.#config.beatEveryMs,
      lostAfterMs: this.#config.lostAfterMs,
      idleSignEveryMs: idleSignEveryMs(this.#config.lostAfterMs),
      unwanted: unwantedOf(message.attempts, (run) => this.#state.open(run)),
    };
  }

  /** Opens the order stream of a registered worker, with what it must hear at once. */
  connect(id: string, incarnation: string, stream: OrderStream): void {
    const entry = this.requireSession(id, incarnation);
    entry.stream?.close();
    entry.stream = stream;
    this.#absences.end(id);
    const term = formatTerm(this.#context.term);
    stream.send({ type: 'hello', term, node: this.#context.node });
    for (const run of this.#state.openOnAgent(id)) this.orderCancel(run);
    this.#drains.set(id, entry.record.drainUntil);
    this.#note({ events: [this.#event(id, 'agent-connected', 'connected')] });
    this.#state.onQueued();
  }

  /** A stream has ended: from now on the agent's time to come back runs. */
  disconnected(id: string, stream: OrderStream): void {
    const entry = this.#agents.get(id);
    if (entry === undefined || entry.stream !== stream) return;
    entry.stream = null;
    const { now } = momentOf(this.#context);
    entry.record = { ...entry.record, lastSeenAt: now };
    this.#absences.begin(id);
    const event = this.#event(id, 'agent-disconnected', 'disconnected');
    this.#note({ agents: [entry.record], events: [event] });
  }

  /** The registration of a worker; refuses whoever is not, or no longer, registered here. */
  requireSession(id: string, incarnation: string): AgentEntry {
    const entry = this.#agents.get(id);
    if (entry?.isRegistered && entry.record.incarnation === incarnation) {
      entry.heardAt = this.#context.clock.monotonicMs();
      return entry;
    }
    throw new Refusal('unknown-agent', `register first: ${id} as ${incarnation} is not known here`);
  }

  /** Takes a mere sign of life. False: who sends it must be told more than that it was heard. */
  hear({ agent, incarnation, highestTerm }: Omit<Reports, 'reports'>): boolean {
    const entry = this.#agents.get(agent);
    const isKnown = entry?.isRegistered === true && entry.record.incarnation === incarnation;
    if (!isKnown || highestTerm > this.#context.term) return false;
    entry.heardAt = this.#context.clock.monotonicMs();
    return true;
  }

  /**
   * The same for whoever asks for the order stream. One that was delayed on its way belongs to an earlier
   * registration: nobody would hear what it carries.
   */
  requireStream(id: string, incarnation: string, session: number): void {
    const entry = this.requireSession(id, incarnation);
    if (session === 0 || session === entry.session) return;
    throw new Refusal('late-registration', `${id} has registered again since this was sent`);
  }

  /** Whether the stream that is asked for belongs to the last registration of an agent. */
  isAwaitedHere(id: string, incarnation: string, session: number): boolean {
    const entry = this.#agents.get(id);
    if (entry?.isRegistered !== true || entry.record.incarnation !== incarnation) return false;
    return session === 0 || session === entry.session;
  }

  checkTerm(highestTerm: Term): void {
    if (highestTerm <= this.#context.term) return;
    this.onHigherTerm(highestTerm);
    throw new Refusal(
      'stale-term',
      `term ${highestTerm} has been seen, this is ${this.#context.term}`,
    );
  }

  /** Agents that may be given runs now. */
  candidates(): Candidate[] {
    const found: Candidate[] = [];
    for (const { record, stream, abilities } of this.#agents.values()) {
      const free = record.slots - this.#state.countOnAgent(record.id);
      if (stream === null || record.draining || free <= 0) continue;
      found.push({ id: record.id, labels: { ...record.labels, ...abilities }, free });
    }
    return found;
  }

  /** Agents on which a job that runs on every agent could run now. */
  targetsOf(job: Job): string[] {
    const selector = selectorOf({ ...job, manner: mannerOf(job) });
    return [...this.#agents.values()]
      .filter(({ stream, record }) => stream !== null && !record.draining)
      .filter(({ record, abilities }) => matches(selector, { ...record.labels, ...abilities }))
      .map(({ record }) => record.id);
  }

  /** Whether an agent is there, or has still its time to come back. */
  isAwaited(id: string): boolean {
    return this.#agents.get(id)?.record.lost === false;
  }

  /** The stream of an agent that is connected. */
  streamOf(id: string): OrderStream | null {
    return this.#agents.get(id)?.stream ?? null;
  }

  /** Tells the agent of a run that is to be cancelled. It hears it again whenever it connects. */
  orderCancel(run: RunRecord): void {
    if (run.cancelReason !== null) this.#orderEnd(run, run.cancelReason);
  }

  /** The agent is given no more runs. With a deadline, what runs on it then is ended. */
  async drain(id: string, deadlineMs: number | null, caller: By = NOBODY): Promise<void> {
    const { now } = momentOf(this.#context);
    const drainUntil = deadlineMs === null ? null : now + deadlineMs;
    const by =
      drainUntil === null ? '' : `, and is to be free at ${new Date(drainUntil).toISOString()}`;
    const event = this.#event(id, 'agent-draining', `is given no more runs${by}`);
    await this.#change(id, { draining: true, drainUntil }, { events: [event], ...caller });
  }

  async resume(id: string, by: By = NOBODY): Promise<void> {
    const event = this.#event(id, 'agent-resumed', 'is given runs again');
    await this.#change(id, { draining: false, drainUntil: null }, { events: [event], ...by });
  }

  /** Forgets an agent that is gone for good. */
  async remove(id: string, by: By = NOBODY): Promise<void> {
    requireStore(this.#context);
    const entry = this.#require(id);
    const open = this.#state.countOnAgent(id);
    if (entry.stream !== null || open > 0) {
      const why = entry.stream !== null ? 'is connected' : `is not lost yet, with ${open} attempts`;
      throw new Refusal('agent-in-use', `agent ${id} ${why}`);
    }
    this.#agents.delete(id);
    this.#absences.end(id);
    this.#drains.set(id, null);
    const moment = momentOf(this.#context);
    const runs = this.#state
      .queuedFor(id)
      .map((run) => abandonRun(run, `agent ${id} was removed`, moment));
    const events = [this.#event(id, 'agent-removed', 'was removed')];
    const changes = { deletedAgents: [id], runs, events, ...by };
    await committed(this.#context, this.#state.apply(changes));
  }

  all(): { record: AgentRecord; isConnected: boolean }[] {
    return [...this.#agents.values()]
      .map(({ record, stream }) => ({ record, isConnected: stream !== null }))
      .toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1));
  }

  /** Sends all workers away, to the next controller when it is known, and closes their streams. */
  leave(next: string | null): void {
    if (this.#beats !== null) clearInterval(this.#beats);
    this.#absences.endAll();
    this.#drains.clear();
    for (const entry of this.#agents.values()) {
      const { stream } = entry;
      entry.stream = null;
      stream?.send({ type: 'leave', term: formatTerm(this.#context.term), next });
      stream?.close();
    }
  }

  #giveUp(id: string): void {
    const { committer, guard } = this.#context;
    if (committer.isAway || !guard.mayAct()) {
      // Agents can't report either while nothing can be committed: that is not their absence.
      this.#absences.begin(id);
      return;
    }
    const entry = this.#agents.get(id);
    if (entry !== undefined) {
      entry.isRegistered = false;
      entry.record = { ...entry.record, lost: true };
    }
    const moment = momentOf(this.#context);
    const reason = `agent ${id} is lost`;
    const lost = this.#state.openOnAgent(id).map((run) => loseAttempt(run, reason, moment));
    // Of a job that runs on every agent no other may take the run.
    const runs = [...lost, ...this.#state.queuedFor(id)].map((run) =>
      run.target === id && run.state === 'queued' ? abandonRun(run, reason, moment) : run,
    );
    const events = [this.#event(id, 'agent-lost', `is lost, with ${lost.length} attempts`)];
    const agents = entry === undefined ? [] : [entry.record];
    void this.#state.apply({ agents, runs, events });
  }

  /** Its time is up: what may run elsewhere is taken from it, the rest is cancelled. */
  #endDrain(id: string): void {
    const { committer, guard } = this.#context;
    if (committer.isAway || !guard.mayAct()) {
      this.#drains.set(id, this.#context.clock.wallMs() + this.#config.beatEveryMs);
      return;
    }
    const open = this.#state.openOnAgent(id);
    if (open.length === 0) return;
    const reason = `agent ${id} had to be free`;
    const moment = momentOf(this.#context);
    const runs = open
      .filter(({ spec, cancelReason }) => spec.delivery === 'at-most-once' && cancelReason === null)
      .map((run) => cancelRun(run, reason, moment));
    const events = [
      this.#event(id, 'agent-drained', `had to be free, with ${open.length} attempts`),
    ];
    void this.#state.apply({ runs, events }).then(() => {
      for (const run of this.#state.openOnAgent(id))
        this.#orderEnd(run, run.cancelReason ?? reason);
    });
  }

  #orderEnd(run: RunRecord, reason: string): void {
    const attempt = openAttempt(run);
    if (attempt === null) return;
    if (!this.#context.guard.mayAct()) {
      this.#unsentEnds.set(run.id, { attempt: attempt.number, reason });
      return;
    }
    this.streamOf(attempt.agent)?.send({
      ...{ type: 'cancel', term: formatTerm(this.#context.term) },
      ...{ run: run.id, attempt: attempt.number, reason },
    });
  }

  async #change(
    id: string,
    change: Pick<AgentRecord, 'draining' | 'drainUntil'>,
    more: Changes,
  ): Promise<void> {
    requireStore(this.#context);
    const entry = this.#require(id);
    entry.record = { ...entry.record, ...change };
    await committed(this.#context, this.#state.apply({ agents: [entry.record], ...more }));
    this.#drains.set(id, change.drainUntil);
    this.#state.onQueued();
  }

  #require(id: string): AgentEntry {
    const entry = this.#agents.get(id);
    if (entry === undefined) throw new Refusal('unknown-agent-id', `there is no agent ${id}`);
    return entry;
  }

  #beat(): void {
    if (!this.#context.guard.mayAct()) return;
    const beat = { type: 'beat', term: formatTerm(this.#context.term) } as const;
    const now = this.#context.clock.monotonicMs();
    const idleSignMs = idleSignEveryMs(this.#config.lostAfterMs);
    for (const entry of this.#agents.values()) {
      if (entry.stream === null) continue;
      const isAtWork = this.#state.countOnAgent(entry.record.id) > 0;
      entry.atWorkSince = isAtWork ? (entry.atWorkSince ?? now) : null;
      if (isSilent(entry, now, idleSignMs)) entry.stream.close();
      else entry.stream.send(beat);
    }
    for (const [id, { attempt, reason }] of [...this.#unsentEnds]) {
      this.#unsentEnds.delete(id);
      const run = this.#state.open(id);
      if (run !== null && openAttempt(run)?.number === attempt) this.#orderEnd(run, reason);
    }
    // What could not be dispatched in a moment of doubt, or without the database, is looked at again.
    if (this.#state.queue.size > 0) this.#state.onQueued();
  }

  /** Who comes and goes again and again during an outage must not fill the memory. */
  #note(changes: Changes): void {
    if (!this.#context.committer.isFull) void this.#state.apply(changes);
  }

  #event(id: string, kind: EventKind, what: string): NewEvent {
    const { now } = momentOf(this.#context);
    return { at: now, kind, subject: id, message: `agent ${id} ${what}`, facts: {} };
  }
}
