import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  PEER_PROTOCOL,
  type PeerState,
  type PeerStateWire,
} from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { version } from '@understudy/shared/runtime/version';
import type { RoleDriver, TenureOver } from './driver.ts';
import type { LastService } from './events/interruption.ts';
import { lastServedWire } from './events/peers.ts';
import type { StatusView } from './http/status.ts';
import type { LeaseStore } from './lease/port.ts';
import type { Peers } from './peer/client.ts';
import type { ConsentAnswer } from './peer/routes.ts';
import { whyNoConsent } from './role/failsafe.ts';
import type { ConsentRefusal } from './role/state.ts';
import { isServing } from './role/view.ts';

export interface PairTalkOptions {
  readonly config: ControllerHostConfig;
  readonly incarnation: string;
  readonly driver: Pick<RoleDriver, 'state' | 'dispatch' | 'consent'>;
  readonly peers: Pick<Peers, 'views' | 'exchangeNow'>;
  readonly lease: Pick<LeaseStore, 'identity' | 'probe' | 'read'>;
  readonly tenureOver: TenureOver;
  readonly status: () => StatusView;
  readonly lastService: () => LastService | null;
  readonly clock: Clock;
}

/** A node that was silent for so long is gone for good, as far as consent goes. */
const FORGET_PEER_MS = 60_000;

/** What this node tells its peers of itself, what it learns from them, and what it promises them. */
export class PairTalk {
  readonly #options: PairTalkOptions;
  /** Which database this node uses; null when that is not known. */
  #storeId: string | null = null;
  /** When each other node was last heard, in monotonic milliseconds. */
  readonly #heardAt = new Map<string, number>();
  /** Of the lease, before the role machine has read it. */
  #termAtStart: Term | null = null;

  constructor(options: PairTalkOptions) {
    this.#options = options;
  }

  /** How this node is, for its peers. */
  self(): PeerStateWire {
    const { config, incarnation, clock, driver, tenureOver } = this.#options;
    const status = this.#options.status();
    const { state } = driver;
    const isUp = state.phase.name !== 'serving' || isServing(state, clock.monotonicMs());
    return {
      pair: config.pair,
      node: config.node,
      incarnation,
      url: config.heartbeat.url,
      controllerUrl: config.controller.url,
      version,
      role: status.role,
      phase: isUp ? status.phase : 'trust-ran-out',
      term: status.term,
      highestTerm: formatTerm(state.highestTerm),
      ready: status.ready,
      notReady: [...status.notReady],
      ttlMs: config.timers.ttlMs,
      tenureOver: tenureOver.term === null ? null : formatTerm(tenureOver.term),
      lastServed: lastServedWire(this.#options.lastService(), clock.monotonicMs()),
      protocol: PEER_PROTOCOL,
      preferred: config.failover.preferred,
      hasAddress: status.vip?.addresses.some(({ held }) => held) ?? false,
      storeId: this.#storeId,
    };
  }

  /**
   * To be awaited before anything is claimed: a peer that answers may tell that it uses another database,
   * where another lease could be granted beside ours.
   */
  async meet(): Promise<void> {
    const identity = await this.#options.lease.identity();
    if (identity.kind === 'identity') this.#storeId = identity.id;
    const lease = await this.#options.lease.read();
    if (lease.kind === 'read') this.#termAtStart = lease.row.term;
    await this.#options.peers.exchangeNow();
    this.#compareStores();
  }

  /** Takes in what a peer says of itself. */
  heard(peer: PeerState): void {
    const { driver, clock } = this.#options;
    this.#heardAt.set(peer.node, clock.monotonicMs());
    this.#countPeers();
    this.#compareStores();
    if (peer.highestTerm > driver.state.highestTerm) {
      driver.dispatch({ kind: 'heard-term', term: peer.highestTerm });
    }
    const { row } = driver.state.watch;
    const isOver = peer.tenureOver !== null && row !== null && row.term <= peer.tenureOver;
    if (isOver && row.holder?.node === peer.node && !row.released) {
      driver.dispatch({ kind: 'peer-hint' });
    }
  }

  /**
   * A holder that can't reach the store asks us to stay passive. First we try to write ourselves: if that
   * works, the holder has lost the store, and not the pair.
   */
  async consent(term: Term, forMs: number): Promise<ConsentAnswer> {
    const { driver, lease, config } = this.#options;
    const refuse = (why: ConsentRefusal) => ({ why, highestTerm: driver.state.highestTerm });
    const before = whyNoConsent(driver.state, term, this.#options.clock.monotonicMs());
    if (before !== null) return refuse(before);
    const probe = await lease.probe();
    if (probe.kind !== 'failed') return refuse('store-fine');
    const boundMs = Math.min(forMs, config.timers.ttlMs);
    const refusal = driver.consent(term, boundMs);
    return refusal === null ? { forMs: boundMs } : refuse(refusal);
  }

  /** To be called now and then: peers go, databases are moved. */
  async lookAround(): Promise<void> {
    this.#countPeers();
    if (this.#storeId === null || this.#strayed() !== null) {
      const identity = await this.#options.lease.identity();
      if (identity.kind === 'identity') this.#storeId = identity.id;
    }
    this.#compareStores();
  }

  /** Other nodes that spoke to this one lately: one that we do not know of can't be asked for its consent. */
  #countPeers(): void {
    const { driver, clock } = this.#options;
    const since = clock.monotonicMs() - FORGET_PEER_MS;
    for (const [node, at] of this.#heardAt) if (at < since) this.#heardAt.delete(node);
    const count = this.#heardAt.size;
    if (count !== driver.state.peersHeard) driver.dispatch({ kind: 'peers-heard', count });
  }

  /** That a peer uses another database; null while all use the same, as far as this node knows. */
  get storeDisagreement(): string | null {
    const strayed = this.#strayed();
    if (strayed === null) return null;
    return `${strayed.node} uses another database (${strayed.storeId}, this node ${this.#storeId})`;
  }

  #strayed(): PeerState | null {
    const own = this.#storeId;
    if (own === null) return null;
    // Also of a peer that is silent by now: it may serve where we can't see it.
    const states = this.#options.peers.views().flatMap(({ state }) => (state ? [state] : []));
    return states.find(({ storeId }) => storeId !== null && storeId !== own) ?? null;
  }

  /**
   * Of two nodes with two databases the one with the higher term goes on, for there the pair has lived; the
   * other takes no role. With equal terms nobody knows, and neither does.
   */
  #compareStores(): void {
    const { driver } = this.#options;
    const strayed = this.#strayed();
    const ownTerm = driver.state.watch.row?.term ?? this.#termAtStart;
    const isTheirs = strayed !== null && (ownTerm === null || ownTerm <= (strayed.term ?? 0n));
    const reason = isTheirs ? this.storeDisagreement : null;
    if (reason === driver.state.disagreement) return;
    driver.dispatch({ kind: 'disagreement', reason });
  }
}
