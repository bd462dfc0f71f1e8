import { setTimeout as pause } from 'node:timers/promises';
import type { Term } from '@understudy/shared/kernel/term';
import { PEER_PROTOCOL, type PeerState } from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { RoleDriver } from './driver.ts';
import type { LeaseStore } from './lease/port.ts';
import type { Operator, PauseResult, SwitchOverRefusal, SwitchOverResult } from './operator.ts';
import type { Peers } from './peer/client.ts';
import type { PeerLink } from './peer/link.ts';
import type { Story } from './role/state.ts';
import { failsafeSince, roleOf } from './role/view.ts';

export interface OperationsOptions {
  readonly node: string;
  readonly mode: 'automatic' | 'manual';
  /** Ends this heartbeat, as SIGTERM does. */
  readonly stop: () => void;
  readonly incarnation: string;
  readonly driver: Pick<RoleDriver, 'state' | 'dispatch' | 'whyNotReady'>;
  readonly peers: Pick<Peers, 'views' | 'linkTo' | 'exchangeNow'>;
  readonly lease: Pick<LeaseStore, 'pause'>;
  /** How long the old active may need until the lease is handed over. */
  readonly handOverWithinMs: number;
  /** How long the new active may need until it serves. */
  readonly serveWithinMs: number;
  readonly clock: Clock;
}

type Refused = Extract<SwitchOverResult, { kind: 'refused' }>;
type HandedOver = Extract<Story, { kind: 'handed-over' }>;

/** A new active says so itself; this is for the case that it can't reach us. */
const ASK_AGAIN_MS = 100;
/** An order to take a free role holds for so long. */
const ORDER_HOLDS_MS = 10_000;

/** Carries out what an operator, or a preferred peer, asks of this heartbeat. */
export class Operations implements Operator {
  readonly #options: OperationsOptions;
  readonly #listeners = new Set<(story: Story) => void>();
  readonly #peerListeners = new Set<(state: PeerState) => void>();
  #switching: Promise<SwitchOverResult> | null = null;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** To be told each story of the role machine. */
  onStory(story: Story): void {
    for (const listener of [...this.#listeners]) listener(story);
  }

  /** To be told what each peer says of itself. */
  onPeer(state: PeerState): void {
    for (const listener of [...this.#peerListeners]) listener(state);
  }

  /** What a peer asks for is not passed on: it took this node for the active one. */
  switchOverForPeer(to: string | null): Promise<SwitchOverResult> | SwitchOverResult {
    const { node, driver } = this.#options;
    const { name } = driver.state.phase;
    if (name === 'serving') return this.switchOver(to);
    return refused('no-active', `${node} is not active (${name})`);
  }

  async switchOver(to: string | null): Promise<SwitchOverResult> {
    const { node, driver } = this.#options;
    const { phase } = driver.state;
    if (phase.name === 'watching' || phase.name === 'claiming') {
      const active = this.#activePeer();
      if (active === null) return this.#withoutActive(to);
      if (active.node === to) return refused('already-active', `${to} is active already`);
      const link = this.#options.peers.linkTo(active.node);
      if (link === undefined) return refused('no-active', `${active.node} does not answer`);
      return link.askSwitchOver(to ?? node);
    }
    if (to === node) return refused('already-active', `${node} is active already`);
    if (phase.name !== 'serving' || this.#switching !== null) {
      return refused('change-under-way', `this node is ${phase.name}; try again`);
    }
    if (failsafeSince(driver.state) !== null || phase.tenure.failingSince !== null) {
      return refused('failsafe', 'the store does not answer: the lease can not be handed over');
    }
    const switching = this.#handOver(to, phase.tenure.term);
    this.#switching = switching;
    try {
      return await switching;
    } finally {
      this.#switching = null;
    }
  }

  /** Resolves when the switch-over that is under way, if any, is over. */
  async settled(): Promise<void> {
    await this.#switching;
  }

  async pause(forMs: number | null): Promise<PauseResult> {
    const answer = await this.#options.lease.pause(forMs);
    if (answer.kind === 'failed') {
      return { kind: 'refused', why: 'store-away', reason: answer.error };
    }
    this.#options.driver.dispatch({ kind: 'lease-read', row: answer.row });
    return { kind: 'done', forMs: answer.row.pausedForMs };
  }

  async stepDown(): Promise<SwitchOverResult> {
    const { node, mode, driver, stop } = this.#options;
    const { phase } = driver.state;
    if (mode === 'automatic') return this.switchOver(null);
    if (phase.name !== 'serving') return refused('no-active', `${node} is not active`);
    stop();
    return { kind: 'done', from: node, to: node, term: phase.tenure.term, interruptedMs: null };
  }

  async promote(): Promise<SwitchOverResult> {
    const { node, driver } = this.#options;
    const active = this.#activePeer();
    if (driver.state.phase.name !== 'watching' || active !== null) {
      const who = active?.node ?? node;
      return refused('already-active', `${who} is active, or about to be`);
    }
    return await this.#takeRole(false);
  }

  async force(): Promise<SwitchOverResult> {
    const { node, driver } = this.#options;
    if (roleOf(driver.state) === 'active') {
      return refused('already-active', `${node} is active already`);
    }
    const { name } = driver.state.phase;
    if (name !== 'watching') return refused('change-under-way', `this node is ${name}; try again`);
    const reasons = driver.whyNotReady();
    if (reasons.length > 0) return refused('peer-not-ready', `${node}: ${reasons.join('; ')}`);
    return await this.#takeRole(true);
  }

  /** Orders this node to claim, and waits for what becomes of it. */
  async #takeRole(isForced: boolean): Promise<SwitchOverResult> {
    const { node, driver, clock } = this.#options;
    const from = driver.state.watch.row?.holder?.node ?? node;
    let refusal = '';
    const outcome = this.#story(ORDER_HOLDS_MS, (story) => {
      if (story.kind === 'claim-refused' || story.kind === 'holds-still') refusal = story.why;
      return story.kind === 'serving' || story.kind === 'demoting' ? story : null;
    });
    const until = clock.monotonicMs() + ORDER_HOLDS_MS;
    driver.dispatch({ kind: 'promote-ordered', until, isForced });
    const story = await outcome;
    if (story?.kind === 'serving') {
      return { kind: 'done', from, to: node, term: story.term, interruptedMs: null };
    }
    if (story !== null) return refused('failed', story.why.detail);
    const late = 'it could not take the role in time';
    return refused('failed', refusal === '' ? late : `${late}: ${refusal}`);
  }

  /** Nobody is active: an order to this node is an order to take the role, another node must be asked itself. */
  #withoutActive(to: string | null): Promise<SwitchOverResult> | SwitchOverResult {
    if (to === null || to === this.#options.node) return this.promote();
    return refused('no-active', `nobody is active; ask ${to} itself to take the role`);
  }

  async #handOver(to: string | null, term: Term): Promise<SwitchOverResult> {
    const { node, incarnation, driver, clock, handOverWithinMs } = this.#options;
    // What was heard of a peer at its last turn may be seconds old.
    await this.#options.peers.exchangeNow();
    const found = this.#candidate(to);
    if ('kind' in found) return found;
    const prepared = await found.link.prepare({ term, incarnation });
    if ('error' in prepared) return refused('peer-unreachable', prepared.error);
    if (!prepared.ready) {
      return refused('peer-not-ready', `${prepared.node}: ${prepared.reasons.join('; ')}`);
    }
    const { controllerUrl } = prepared;
    const holder = { node: prepared.node, incarnation: prepared.incarnation };
    const askedAt = clock.monotonicMs();
    const outcome = this.#story(handOverWithinMs, (story) =>
      story.kind === 'handed-over' ||
      story.kind === 'switch-over-called-off' ||
      story.kind === 'demoting'
        ? story
        : null,
    );
    driver.dispatch({ kind: 'switch-over-asked', successor: { holder, controllerUrl } });
    const story = await outcome;
    if (story === null) return refused('failed', 'the lease was not handed over in time');
    if (story.kind === 'switch-over-called-off') return refused('not-held', story.reason);
    if (story.kind === 'demoting') return refused('failed', story.why.detail);
    const serves = await this.#serves(story);
    if (!serves) return refused('failed', `${holder.node} has the lease, but does not serve yet`);
    const interruptedMs = clock.monotonicMs() - askedAt;
    return { kind: 'done', from: node, to: holder.node, term: story.newTerm, interruptedMs };
  }

  #candidate(to: string | null): { readonly link: PeerLink } | Refused {
    const views = this.#options.peers.views();
    const known = views.flatMap(({ state, error }) => (state === null ? [] : [{ state, error }]));
    const wanted = to === null ? known : known.filter(({ state }) => state.node === to);
    if (to !== null && wanted.length === 0) {
      return refused('unknown-node', `no peer that answered calls itself ${to}`);
    }
    const ready = wanted.find(({ state, error }) => state.ready && error === null);
    if (ready === undefined) {
      const reasons = views.map(({ state, error, url }) => {
        const name = state?.node ?? url;
        return `${name}: ${error ?? state?.notReady.join('; ') ?? 'unknown'}`;
      });
      return refused('peer-not-ready', `no peer is ready: ${reasons.join(', ')}`);
    }
    const { state } = ready;
    if (state.protocol !== PEER_PROTOCOL) {
      const reason = `${state.node} runs version ${state.version}, which speaks another protocol`;
      return refused('other-version', reason);
    }
    const link = this.#options.peers.linkTo(state.node);
    return link === undefined ? refused('peer-unreachable', `${state.node} is gone`) : { link };
  }

  /** Whether the successor says, within its time, that it serves. */
  async #serves({ to, newTerm }: HandedOver): Promise<boolean> {
    const { peers, clock, serveWithinMs } = this.#options;
    const deadline = clock.monotonicMs() + serveWithinMs;
    const isServing = (state: PeerState | null) =>
      state !== null &&
      state.node === to &&
      state.phase === 'serving' &&
      state.term !== null &&
      state.term >= newTerm;
    let heard: () => void = () => undefined;
    const told = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const listener = (state: PeerState) => {
      if (isServing(state)) heard();
    };
    this.#peerListeners.add(listener);
    try {
      while (clock.monotonicMs() < deadline) {
        if (peers.views().some(({ state }) => isServing(state))) return true;
        await Promise.race([told, pause(ASK_AGAIN_MS).then(() => peers.exchangeNow())]);
      }
      return false;
    } finally {
      this.#peerListeners.delete(listener);
    }
  }

  #activePeer(): PeerState | null {
    const views = this.#options.peers.views();
    const active = views.find(({ state, error }) => error === null && state?.role === 'active');
    return active?.state ?? null;
  }

  /** The first story that `pick` takes; null when none came in time. */
  #story<T extends Story>(withinMs: number, pick: (story: Story) => T | null): Promise<T | null> {
    return new Promise((resolve) => {
      const finish = (story: T | null) => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        resolve(story);
      };
      const timer = setTimeout(() => finish(null), withinMs);
      const listener = (story: Story) => {
        const picked = pick(story);
        if (picked !== null) finish(picked);
      };
      this.#listeners.add(listener);
    });
  }
}

function refused(why: SwitchOverRefusal, reason: string): Refused {
  return { kind: 'refused', why, reason };
}
