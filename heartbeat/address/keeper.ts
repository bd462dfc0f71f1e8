import { setTimeout as pause } from 'node:timers/promises';
import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { passFailpoint } from '../failpoints.ts';
import type { RoleState } from '../role/state.ts';
import { initialRole } from '../role/step.ts';
import { runAnnouncement } from './announcer.ts';
import { announceCommand, putCommand, removeCommand } from './commands.ts';
import { connectionsUnderWay } from './connections.ts';
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
  /** Whether a peer that answers says that it has the addresses. */
  readonly peerHasThem: () => boolean;
  /** Whether a peer says that it serves. */
  readonly peerServes: () => boolean;
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
const LOOK_FOR_QUIET_EVERY_MS = 2;

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
  /** Waits for the command that removes, so that a quiet moment is not over before it has started. */
  #prepared: IpBatch | null = null;
  #announcing = new AbortController();
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
  }

  /** Begins, passive: what an earlier heartbeat has left is removed. Resolves when that is done or has failed. */
  async start(): Promise<void> {
    const { addresses } = this.#options;
    if (addresses.length === 0) return;
    this.#isOver = false;
    const error = await new IpBatch().run(addresses.map(removeCommand), COMMAND_WITHIN_MS);
    if (error !== null) this.#options.onStory({ kind: 'address-failed', what: 'remove', error });
    this.#dispatch({ kind: 'tick' });
  }

  /** The role is this now. */
  onRole(state: RoleState): void {
    this.#role = state;
    this.#review();
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
    this.#announcing.abort();
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
    if (aim.kind !== 'present') {
      this.#announcing.abort();
      this.#announcing = new AbortController();
    }
    this.#dispatch({ kind: 'aim', aim });
  }

  /** After a hand-over the old active still answers what it was asked under the addresses. */
  #isPeerWaitedFor(): boolean {
    const until = this.#waitsUntil();
    return this.#options.clock.monotonicMs() < until && this.#options.peerHasThem();
  }

  #waitsUntil(): number {
    const { phase } = this.#role;
    const isHandedOver = phase.name === 'serving' && phase.tenure.term === this.#handedOverTerm;
    return isHandedOver ? phase.servingSince + WAIT_FOR_PEER_MS : Number.NEGATIVE_INFINITY;
  }

  /** Looks for a moment in which nothing is under way, as long as the addresses are leaving. */
  async #leave(): Promise<void> {
    const { addresses, port, peerServes } = this.#options;
    const isOn = () => this.#state.aim.kind === 'leaving' && this.#state.keptUntil !== null;
    if (this.#isLeaving || !isOn()) return;
    this.#isLeaving = true;
    this.#prepared ??= new IpBatch();
    while (!this.#isOver && isOn()) {
      if (!this.#state.hasSuccessor && peerServes()) {
        this.#dispatch({ kind: 'successor-serves' });
      }
      const begunAt = performance.now();
      const isQuiet = this.#state.hasSuccessor && connectionsUnderWay(addresses, port) === 0;
      if (isQuiet) this.#dispatch({ kind: 'quiet' });
      // Where there are thousands of connections the look takes a while.
      await pause(Math.max(LOOK_FOR_QUIET_EVERY_MS, performance.now() - begunAt));
    }
    this.#prepared?.breakOff();
    this.#prepared = null;
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
    const waitsUntil = this.#waitsUntil();
    const at = Math.min(
      addressWakeAt(this.#state),
      waitsUntil > now ? waitsUntil : Number.POSITIVE_INFINITY,
    );
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, Math.ceil(at - now)));
  }

  #wake(): void {
    this.#review();
    this.#dispatch({ kind: 'tick' });
  }

  #execute(effect: AddressEffect, before: AddressState): void {
    const { addresses, onStory } = this.#options;
    switch (effect.kind) {
      case 'put':
        return this.#put(effect.lifeS, before.keptUntil === null);
      case 'remove':
        return this.#remove();
      case 'break-off':
        this.#running?.breakOff();
        this.#running = null;
        return;
      case 'announce': {
        const present = new Set(findAddresses(addresses).present);
        const turn = this.#state.announced;
        for (const address of addresses) {
          if (present.has(showAddress(address))) void this.#announce(address, turn);
        }
        return;
      }
      case 'tell':
        return onStory(effect.story);
    }
  }

  #put(lifeS: number, isFirst: boolean): void {
    if (isFirst) passFailpoint('before-address');
    const batch = new IpBatch();
    const lines = this.#options.addresses.map((each) => putCommand(each, lifeS));
    this.#run(batch, lines, (error) => {
      if (isFirst) passFailpoint('after-address');
      return error === null ? { kind: 'put-done' } : { kind: 'put-failed', error };
    });
  }

  #remove(): void {
    const batch = this.#prepared ?? new IpBatch();
    this.#prepared = null;
    this.#run(batch, this.#options.addresses.map(removeCommand), (error) => {
      return error === null ? { kind: 'removed' } : { kind: 'remove-failed', error };
    });
  }

  #run(
    batch: IpBatch,
    lines: readonly string[],
    toEvent: (error: string | null) => AddressEvent,
  ): void {
    this.#running = batch;
    void batch.run(lines, COMMAND_WITHIN_MS).then((error) => {
      // One that was broken off has been followed by another.
      if (this.#running !== batch) return;
      this.#running = null;
      const event = toEvent(error);
      this.#dispatch(event);
      if (event.kind === 'removed') this.#options.onGone();
    });
  }

  async #announce(address: VirtualAddress, turn: number): Promise<void> {
    const { signal } = this.#announcing;
    const error = await runAnnouncement(announceCommand(address, turn), signal);
    if (error === null || turn > 1) return;
    this.#options.onStory({ kind: 'address-failed', what: 'announce', error });
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
