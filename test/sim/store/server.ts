import type { Claim, Held, Holder } from '@understudy/heartbeat/lease/port';
import type { Term } from '@understudy/shared/kernel/term';
import type { Engine } from '../kernel/engine.ts';
import { FenceLock, type Writer } from './fence-lock.ts';
import { type Loaded, Repository, type Writes } from './repository.ts';
import {
  type Change,
  claimLease,
  handOverLease,
  type LeaseAnswer,
  type Moment,
  preparedTables,
  readLease,
  releaseLease,
  renewLease,
  type StoreRules,
  type Tables,
  takeNode,
} from './tables.ts';

export interface FenceRules {
  /** The fence is looked at. */
  readonly isFenced: boolean;
  /** The fence is held until the end of the transaction. */
  readonly isLocked: boolean;
}

/** Who must hear of each change, in commit order. */
export interface StoreWitness {
  changed(before: Tables, after: Tables, clockMs: number): void;
  committed(term: Term, writes: Writes): void;
  failedOver(tables: Tables): void;
}

export interface StoreOptions {
  readonly engine: Engine;
  readonly rate: number;
  readonly clockMs: number;
  readonly rules: StoreRules & FenceRules;
  readonly witness: StoreWitness;
  readonly onHint: () => void;
  /** Keeps what a replica may hold. */
  readonly replicates: boolean;
}

/** A statement of a client, which may give up waiting; the server may or may not notice. */
export interface Statement {
  isGivenUp: boolean;
}

export type Begun = { readonly writer: Writer; readonly loaded: Loaded } | 'fenced' | 'failed';

/** How long a replica can be behind. */
const KEPT_MS = 12_000;
/** A claim that waited longer than its tries to take the fence has failed. */
const CLAIM_GIVES_UP_MS = 2_000;

interface Queued {
  readonly statement: Statement;
  readonly run: (clockMs: number) => void;
  readonly arrivedMs: number;
}

/** The PostgreSQL of the pair: one server, its clock, its locks, its stalls, and a replica behind it. */
export class StoreServer {
  readonly #options: StoreOptions;
  readonly #lock: FenceLock;
  readonly repository: Repository;
  #tables = preparedTables();
  #past: { readonly at: number; readonly tables: Tables }[] = [];
  #clockBase: number;
  #queue: Queued[] = [];
  #frozen: (() => void)[] = [];
  #timeline = 1;
  #stall: 'none' | 'disk' | 'all' = 'none';
  /** Whether the operator of a stalled server would see a statement of a gone client cancelled. */
  noticesGone: () => boolean = () => false;
  isUp = true;
  /** Connections to an earlier life of the server are gone. */
  life = 1;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#clockBase = options.clockMs;
    this.#lock = new FenceLock(options.engine);
    this.repository = new Repository(options.engine, options.replicates ? KEPT_MS : 0);
    this.#remember();
  }

  get tables(): Tables {
    return this.#tables;
  }

  get timeline(): number {
    return this.#timeline;
  }

  get clockMs(): number {
    return this.#clockBase + this.#options.rate * this.#options.engine.now;
  }

  /** A message of a client has arrived on a connection to that life of the server. */
  receive(life: number, run: () => void): void {
    if (life !== this.life || !this.isUp) return;
    if (this.#stall === 'all') this.#frozen.push(run);
    else run();
  }

  read(reply: (answer: LeaseAnswer) => void): void {
    reply(readLease(this.#tables, this.#moment(this.clockMs)));
  }

  renew(
    held: Held,
    evenIfExpired: boolean,
    statement: Statement,
    reply: (answer: LeaseAnswer) => void,
  ): void {
    this.#write(statement, (clockMs) => {
      const change = renewLease(this.#tables, held, this.#moment(clockMs), evenIfExpired);
      reply(this.#change(change, clockMs));
    });
  }

  /** Writes a sign of life. */
  probe(statement: Statement, reply: () => void): void {
    this.#write(statement, () => reply());
  }

  release(held: Held, statement: Statement, reply: (answer: LeaseAnswer) => void): void {
    this.#write(statement, (clockMs) => {
      const answer = this.#change(releaseLease(this.#tables, held, this.#moment(clockMs)), clockMs);
      if (answer.outcome === 'released') this.#options.onHint();
      reply(answer);
    });
  }

  claim(claim: Claim, statement: Statement, reply: (answer: LeaseAnswer | null) => void): void {
    this.#grant(statement, reply, (moment) => claimLease(this.#tables, claim, moment));
  }

  handOver(
    handed: { readonly held: Held; readonly renewSeq: bigint; readonly to: Holder },
    statement: Statement,
    reply: (answer: LeaseAnswer | null) => void,
  ): void {
    this.#grant(statement, reply, (moment) => handOverLease(this.#tables, handed, moment));
  }

  /** What raises the fence takes its lock alone first. */
  #grant(
    statement: Statement,
    reply: (answer: LeaseAnswer | null) => void,
    decide: (moment: Moment) => Change,
  ): void {
    const arrivedAt = this.#options.engine.now;
    this.#write(statement, () => {
      const run = () => {
        const waitedMs = this.#options.engine.now - arrivedAt;
        if (waitedMs > CLAIM_GIVES_UP_MS) return reply(null);
        const { clockMs } = this;
        const change = decide(this.#moment(clockMs));
        const answer = this.#change(change, clockMs);
        if (answer.outcome === 'granted') this.#options.onHint();
        reply(answer);
      };
      if (this.#options.rules.isLocked) this.#lock.takeAlone(run, () => reply(null));
      else run();
    });
  }

  /** No automatic change of roles for so long; 0 ends it. */
  pause(forMs: number): void {
    this.#tables = { ...this.#tables, pausedUntil: forMs === 0 ? 0 : this.clockMs + forMs };
    this.#options.onHint();
  }

  /** Takes a node id; answers who had it. */
  take(node: string, incarnation: string, reply: (had: string | null) => void): void {
    this.#write({ isGivenUp: false }, (clockMs) => {
      const had = this.#tables.nodes.get(node) ?? null;
      this.#commit(takeNode(this.#tables, node, incarnation), clockMs);
      reply(had);
    });
  }

  /** Begins a fenced transaction, and reads what is open. */
  begin(term: Term, loads: boolean, reply: (begun: Begun) => void): void {
    const { rules } = this.#options;
    const run = () => {
      if (rules.isFenced && this.#tables.fenceTerm !== term) return reply('fenced');
      const writer = rules.isLocked ? this.#lock.hold() : { isOpen: true, isCommitting: false };
      reply({ writer, loaded: loads ? this.repository.load() : this.repository.nothing });
    };
    if (rules.isLocked) this.#lock.share(run);
    else run();
  }

  /** Commits a transaction; false: it was terminated. */
  commit(writer: Writer, term: Term, writes: Writes, reply: (committed: boolean) => void): void {
    if (!writer.isOpen) return reply(false);
    writer.isCommitting = true;
    this.#write({ isGivenUp: false }, () => {
      this.#options.witness.committed(term, writes);
      this.repository.write(writes);
      this.#lock.letGo(writer);
      reply(true);
    });
  }

  abort(writer: Writer): void {
    if (!writer.isCommitting) this.#lock.letGo(writer);
  }

  /** `disk`: what writes waits for the disk, what reads does not. `all`: the whole server stands still. */
  stall(kind: 'disk' | 'all'): void {
    this.#stall = kind;
  }

  goOn(): void {
    this.#stall = 'none';
    const frozen = this.#frozen;
    this.#frozen = [];
    for (const run of frozen) run();
    const queue = this.#queue;
    this.#queue = [];
    // The first had its look at row and clock before it waited for the disk; the others wait for its lock.
    queue.forEach(({ statement, run, arrivedMs }, index) => {
      if (statement.isGivenUp && this.noticesGone()) return;
      run(index === 0 ? arrivedMs : this.clockMs);
    });
  }

  jumpClock(byMs: number): void {
    this.#clockBase += byMs;
  }

  /** Ends the server: what was under way is gone, what was committed stays. */
  crash(): void {
    this.isUp = false;
    this.life += 1;
    this.#stall = 'none';
    this.#queue = [];
    this.#frozen = [];
    this.#lock.reset();
  }

  start(): void {
    this.isUp = true;
  }

  /** A replica takes over that lags `lagMs` behind. */
  failOver(lagMs: number, clockShiftMs: number): void {
    const { engine, witness } = this.#options;
    this.crash();
    this.start();
    this.#timeline += 1;
    this.#clockBase += clockShiftMs;
    const since = engine.now - lagMs;
    const kept = this.#past.findLast(({ at }) => at <= since) ?? this.#past[0];
    if (kept !== undefined) this.#tables = kept.tables;
    this.repository.undoAfter(since);
    this.#past = [];
    this.#remember();
    witness.failedOver(this.#tables);
  }

  /** How far behind a replica is that has the state just before the last one; null: there is none. */
  get lagToReleased(): number | null {
    const found = this.#past.findLast(({ tables }) => tables.lease.released);
    return found === undefined ? null : this.#options.engine.now - found.at;
  }

  #moment(clockMs: number): Moment {
    return { clockMs, timeline: this.#timeline, rules: this.#options.rules };
  }

  #write(statement: Statement, run: (clockMs: number) => void): void {
    const arrivedMs = this.clockMs;
    if (this.#stall === 'none') run(arrivedMs);
    else this.#queue.push({ statement, run, arrivedMs });
  }

  #change(change: Change, clockMs: number): LeaseAnswer {
    if (change.tables !== this.#tables) this.#commit(change.tables, clockMs);
    return change.answer;
  }

  #commit(tables: Tables, clockMs: number): void {
    const before = this.#tables;
    this.#tables = tables;
    this.#options.witness.changed(before, tables, clockMs);
    if (this.#options.replicates) this.#remember();
  }

  #remember(): void {
    const { now } = this.#options.engine;
    const past = this.#past;
    past.push({ at: now, tables: this.#tables });
    if (past.length < 256) return;
    const first = past.findLastIndex(({ at }) => at <= now - KEPT_MS);
    if (first > 0) past.splice(0, first);
  }
}
