import { setTimeout as pause } from 'node:timers/promises';
import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { passFailpoint } from '../failpoints.ts';
import type { RoleState } from '../role/state.ts';
import { initialRole } from '../role/step.ts';
import { Announcements } from './announcements.ts';
import { closeCommands, putCommand, removeCommands } from './commands.ts';
import { Connections } from './connections.ts';
import { findAddresses, showAddress } from './found.ts';
import { IpBatch } from './ip-batch.ts';
import { aimOf } from './plan/aim.ts';
import type { AddressEffect, AddressEvent, AddressState, AddressStory, Aim } from './plan/state.ts';
import {
  addressWakeAt,
  initialAddress,
  isHeld,
  LEAVE_WITHIN_MS,
  stepAddress,
} from './plan/step.ts';
import type { VipView } from './view.ts';

export interface AddressKeeperOptions {
  /** None: nothing is done. */
  readonly addresses: readonly VirtualAddress[];
  /** Where the controller answers. */
  readonly port: number;
  /** What is kept back between trust and the end of the lease. */
  readonly marginMs: number;
  /** When a peer that has the addresses was heard last, as far as it said so; null: none has them. */
  readonly peerHadThemAt: () => number | null;
  /** Asks the peers how they are; what they say comes by `onPeers`. */
  readonly askPeers: () => void;
  /** When a peer that serves was heard last; null: none serves, as far as they say. */
  readonly peerServedAt: () => number | null;
  readonly onStory: (story: AddressStory) => void;
  /** They were removed from this host: a peer may wait for them. */
  readonly onGone: () => void;
  readonly clock: Clock;
}

/** A command that hangs is killed then. */
const COMMAND_WITHIN_MS = 1_000;
/** The lease is given back so long after a removal began, at the latest: the kernel removes what could not be removed. */
const GONE_WITHIN_MS = 300;
/** The old active says when they are free; who hears nothing takes them anyway, when they must be. */
const WAIT_FOR_PEER_MS = LEAVE_WITHIN_MS + 250;
/**
 * One that was heard and then is silent for so long has them no more, or not for a second: it has heard us as late as
 * we have heard it, tells the kernel to keep them half a second after that for the last time, and for a second only.
 */
const PEER_SILENT_MS = 1_500;
const ASK_PEER_EVERY_MS = 250;
const LOOK_FOR_QUIET_EVERY_MS = 2;
/** The next command is started so long after one has ended: what has to be said of that one goes first. */
const PREPARE_AFTER_MS = 50;

/**
 * Keeps the virtual addresses where the role is: has the plan made (`plan/step.ts`), carries it out, and wakes it when
 * it is due. Nothing here is waited for by a change of role, but that the lease is given back only once the
 * addresses are off, or could not be removed in `GONE_WITHIN_MS`.
 */
export class AddressKeeper {
  readonly #options: AddressKeeperOptions;
  #state: AddressState;
  #role: RoleState;
  #running: IpBatch | null = null;
  /** Waits for the next commands: nobody waits for its start then. */
  #prepared: IpBatch | null = null;
  #preparing: NodeJS.Timeout | null = null;
  readonly #announcements: Announcements;
  #handedOverTerm: Term | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isOver = true;
  #isLeaving = false;
  #waiters: { readonly is: () => boolean; readonly resolve: () => void }[] = [];

  constructor(options: AddressKeeperOptions) {
    this.#options = options;
    const now = options.clock.monotonicMs();
    this.#state = initialAddress(now);
    this.#role = initialRole(now);
    this.#announcements = new Announcements((error) =>
      options.onStory({ kind: 'address-failed', what: 'announce', error }),
    );
  }

  /** Begins, passive: what an earlier heartbeat has left is removed. Resolves when that is done or has failed. */
  async start(): Promise<void> {
    const { addresses } = this.#options;
    if (addresses.length === 0) return;
    this.#isOver = false;
    const error = await new IpBatch().run(addresses.flatMap(removeCommands), COMMAND_WITHIN_MS);
    this.#prepareSoon();
    if (error !== null) this.#options.onStory({ kind: 'address-failed', what: 'remove', error });
    this.#dispatch({ kind: 'tick' });
  }

  /** The role is this now. */
  onRole(state: RoleState): void {
    const isPromoted = state.phase.name === 'promoting' && this.#role.phase.name !== 'promoting';
    this.#role = state;
    this.#review();
    // They are ready, unless this host has only just become passive; beside the activation, which takes longer.
    if (!isPromoted) return;
    setImmediate(() => {
      if (!this.#isOver) this.#announcements.prepare(this.#options.addresses);
    });
  }

  /** The lease of this term was handed over to us: its old holder may still need the addresses. */
  onTakenOver(term: Term): void {
    this.#handedOverTerm = term;
  }

  /** A peer said how it is, or could not be asked. */
  onPeers(): void {
    this.#review();
  }

  /** Resolves when this host has the addresses, can't have them, or is not to have them. */
  settled(): Promise<void> {
    return this.#when(() => {
      const isWanted = aimOf(this.#role, this.#options.marginMs).kind === 'present';
      return !isWanted || this.#isHeld || this.#state.problem !== null;
    });
  }

  /** Resolves when they are off this host, or could not be removed in time. */
  async gone(): Promise<void> {
    const over = new AbortController();
    const isGone = () => {
      const { aim, keptUntil, running, problem } = this.#state;
      return (
        aim.kind !== 'present' && ((keptUntil === null && running === null) || problem !== null)
      );
    };
    const late = pause(GONE_WITHIN_MS, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#when(isGone), late]);
    over.abort();
  }

  /** Removes them, and does nothing any more. */
  async stop(): Promise<void> {
    this.#turnTo({ kind: 'absent' });
    await this.gone();
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#preparing !== null) clearTimeout(this.#preparing);
    this.#announcements.breakOff();
    this.#running?.breakOff();
    this.#prepared?.breakOff();
  }

  /** What there is to be said about them; null when there are none. */
  view(): VipView | null {
    const { addresses } = this.#options;
    if (addresses.length === 0) return null;
    const { present } = findAddresses(addresses);
    return {
      held: present.length === addresses.length,
      addresses: addresses.map((each) => ({
        address: showAddress(each),
        interface: each.interface,
        held: present.includes(showAddress(each)),
      })),
      problem: this.#state.problem,
    };
  }

  get #isHeld(): boolean {
    return isHeld(this.#state, this.#options.clock.monotonicMs());
  }

  #review(): void {
    if (this.#isOver) return;
    const aim = this.#isPeerWaitedFor()
      ? ({ kind: 'absent' } as const)
      : aimOf(this.#role, this.#options.marginMs);
    this.#turnTo(aim);
    if (this.#state.aim.kind === 'leaving') void this.#leave();
  }

  #turnTo(aim: Aim): void {
    if (isSame(aim, this.#state.aim)) return;
    if (aim.kind !== 'present') this.#announcements.breakOff();
    this.#dispatch({ kind: 'aim', aim });
    // Else after what is under way.
    if (aim.kind === 'absent' && this.#running === null) this.#prepareSoon();
  }

  /** After a hand-over the old active still answers what it was asked under the addresses. */
  #isPeerWaitedFor(): boolean {
    const { phase } = this.#role;
    if (phase.name !== 'promoting' && phase.name !== 'serving') return false;
    if (phase.tenure.term !== this.#handedOverTerm) return false;
    // Whom the old active holds back it sends on, once there is somebody who answers.
    if (phase.name === 'promoting') return true;
    const { clock, peerHadThemAt } = this.#options;
    const hadThemAt = peerHadThemAt();
    if (hadThemAt === null) return false;
    const { servingSince } = phase;
    const lastAt = servingSince + WAIT_FOR_PEER_MS;
    const isHeard = hadThemAt > servingSince;
    const until = isHeard ? Math.min(lastAt, hadThemAt + PEER_SILENT_MS) : lastAt;
    return clock.monotonicMs() < until;
  }

  /** Looks for a moment in which nothing is under way, as long as the addresses are leaving. */
  async #leave(): Promise<void> {
    const { addresses, port, peerServedAt } = this.#options;
    const connections = new Connections(addresses, port);
    const isOn = () => this.#state.aim.kind === 'leaving' && this.#state.keptUntil !== null;
    if (this.#isLeaving || !isOn()) return;
    this.#isLeaving = true;
    let lastHeardAt: number | null = null;
    while (!this.#isOver && isOn()) {
      const heardAt = peerServedAt();
      if (heardAt !== null && heardAt !== lastHeardAt) {
        this.#dispatch({ kind: 'successor-serves', heardAt });
      }
      lastHeardAt = heardAt;
      const begunAt = performance.now();
      if (this.#state.hasSuccessor) {
        const first = connections.underWay();
        // The last look decides, and one may be left out.
        const isSure = first > 0 || !this.#state.isClosed;
        this.#dispatch({ kind: 'looked', connections: isSure ? first : connections.underWay() });
      }
      // Where there are thousands of connections the look takes a while.
      await pause(Math.max(LOOK_FOR_QUIET_EVERY_MS, performance.now() - begunAt));
    }
    this.#isLeaving = false;
  }

  #dispatch(event: AddressEvent): void {
    if (this.#isOver) return;
    const { addresses, clock } = this.#options;
    const now = clock.monotonicMs();
    const before = this.#state;
    const { state, effects } = stepAddress(before, event, now, findAddresses(addresses));
    this.#state = state;
    for (const effect of effects) this.#execute(effect, before);
    const due = this.#waiters.filter(({ is }) => is());
    this.#waiters = this.#waiters.filter((each) => !due.includes(each));
    for (const { resolve } of due) resolve();
    this.#planWake();
  }

  #planWake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const now = this.#options.clock.monotonicMs();
    const asksAt = this.#isPeerWaitedFor() ? now + ASK_PEER_EVERY_MS : Number.POSITIVE_INFINITY;
    const at = Math.min(addressWakeAt(this.#state), asksAt);
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, Math.ceil(at - now)));
  }

  #wake(): void {
    if (this.#isPeerWaitedFor()) this.#options.askPeers();
    this.#review();
    this.#dispatch({ kind: 'tick' });
  }

  #execute(effect: AddressEffect, before: AddressState): void {
    const { addresses, onStory } = this.#options;
    switch (effect.kind) {
      case 'put':
        return this.#put(effect, before.keptUntil === null);
      case 'close':
        return this.#run(addresses.flatMap(closeCommands), (error) => {
          passFailpoint('after-close');
          return error === null ? { kind: 'closed' } : { kind: 'close-failed', error };
        });
      case 'remove':
        return this.#run(addresses.flatMap(removeCommands), (error) =>
          error === null ? { kind: 'removed' } : { kind: 'remove-failed', error },
        );
      case 'break-off':
        this.#running?.breakOff();
        this.#running = null;
        return;
      case 'announce': {
        const present = new Set(findAddresses(addresses).present);
        const ours = addresses.filter((each) => present.has(showAddress(each)));
        return this.#announcements.send(ours, this.#state.announced);
      }
      case 'tell':
        return onStory(effect.story);
    }
  }

  #put({ lifeS, isAnew }: Extract<AddressEffect, { kind: 'put' }>, isFirst: boolean): void {
    if (isFirst) passFailpoint('before-address');
    const { addresses } = this.#options;
    const lines = addresses.map((each) => putCommand(each, lifeS));
    this.#run([...(isAnew ? addresses.flatMap(removeCommands) : []), ...lines], (error) => {
      if (isFirst) passFailpoint('after-address');
      return error === null ? { kind: 'put-done' } : { kind: 'put-failed', error };
    });
  }

  #run(lines: readonly string[], toEvent: (error: string | null) => AddressEvent): void {
    const batch = this.#takeBatch();
    this.#running = batch;
    void batch.run(lines, COMMAND_WITHIN_MS).then((error) => {
      // While they leave each is followed by another soon, and nobody else waits for this process.
      this.#prepareSoon(this.#state.aim.kind === 'leaving' ? 0 : PREPARE_AFTER_MS);
      // One that was broken off has been followed by another.
      if (this.#running !== batch) return;
      this.#running = null;
      const event = toEvent(error);
      this.#dispatch(event);
      if (event.kind === 'removed') this.#options.onGone();
    });
  }

  #takeBatch(): IpBatch {
    const prepared = this.#prepared;
    this.#prepared = null;
    return prepared?.isWaiting ? prepared : new IpBatch();
  }

  #prepareSoon(afterMs = PREPARE_AFTER_MS): void {
    if (this.#preparing !== null || this.#isOver) return;
    this.#preparing = setTimeout(() => {
      this.#preparing = null;
      this.#prepared ??= new IpBatch();
      // Those of a role that is ours are said already.
      if (this.#state.aim.kind === 'absent') this.#announcements.prepare(this.#options.addresses);
    }, afterMs);
  }

  #when(is: () => boolean): Promise<void> {
    if (this.#isOver || is()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ is, resolve }));
  }
}

function isSame(a: Aim, b: Aim): boolean {
  if (a.kind !== 'present' || b.kind !== 'present') return a.kind === b.kind;
  return a.term === b.term && a.leaseUntil === b.leaseUntil;
}
