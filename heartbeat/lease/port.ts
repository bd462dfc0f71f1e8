import type { Term } from '@understudy/shared/kernel/term';

/**
 * The lease, as the heartbeat sees it: one row per pair in a store. The store grants; the holder alone
 * lets go, or lets its time run out. This port is implemented by PostgreSQL, and by others later.
 *
 * Guarantees of every adapter: each operation is one atomic step in the store; it has a time limit and
 * then answers `failed`, which means *unknown*, never *no*; nothing throws. The store's time is used
 * for expiry only inside the store; `storeSaysExpired` is its verdict, never compared with a local clock.
 */
export interface LeaseStore {
  /** Reads the lease, and whether the store can be written to. */
  read(): Promise<LeaseRead>;
  /** Grants the lease by compare-and-set on what was observed, with term + 1. Raises the fence with it. */
  claim(claim: Claim): Promise<ClaimResult>;
  /**
   * Extends the lease of exactly this tenure, unless it has expired in the store. With `evenIfExpired` the
   * holder revives its own: only in failsafe, while every peer is bound to stay passive.
   */
  renew(held: Held, options?: { readonly evenIfExpired: boolean }): Promise<RenewResult>;
  /** Lets the lease go: whoever is passive may claim at once. */
  release(held: Held): Promise<ReleaseResult>;
  /**
   * Gives the lease with term + 1 to a peer, and raises the fence, in one step. Compare-and-set on `renewSeq`
   * too: a renewal granted later proves that a hand-over of unknown outcome did not happen and never will.
   */
  handOver(held: Held, renewSeq: bigint, to: Holder): Promise<HandOverResult>;
  /**
   * Releases the lease of a tenure whose holder is proven to be over (an earlier incarnation of this
   * host's own heartbeat). Compare-and-set on term and incarnation.
   */
  break(held: Held): Promise<ReleaseResult>;
  /** No automatic change of roles for so long; null ends it. The row tells how long it still lasts. */
  pause(forMs: number | null): Promise<LeaseRead>;
  /** Which store this is; null where it does not tell. Two nodes of a pair must see the same. */
  identity(): Promise<{ readonly kind: 'identity'; readonly id: string | null } | Failed>;
  /** Writes this node's sign of life: proves that the store takes writes. `replaced`: another incarnation holds our node id. */
  probe(): Promise<ProbeResult>;
  /** Called when the lease may have changed (only a hint: read). Returns the function that unsubscribes. */
  onHint(listener: () => void): () => void;
  /** Ends all connections. Calls under way answer `failed`. */
  close(): Promise<void>;
}

/** One life of one node. */
export interface Holder {
  readonly node: string;
  /** A uuid made at the start of the heartbeat. */
  readonly incarnation: string;
}

export interface Held {
  readonly term: Term;
  readonly incarnation: string;
}

/** The lease as it was read. `term` 0 without a holder: never granted. */
export interface LeaseRow {
  readonly term: Term;
  readonly holder: Holder | null;
  /** Rises by one with each renewal: with `term` and `timeline` it tells whether the row changed. */
  readonly renewSeq: bigint;
  /** Given back, on this timeline. */
  readonly released: boolean;
  /** `expires_at < clock_timestamp()`, said by the store. */
  readonly storeSaysExpired: boolean;
  /** T as the holder set it: a waiter uses the larger of this and its own. */
  readonly ttlMs: number;
  /** Until expiry, by the store's clock; negative when it ran out. For planning the next reading only. */
  readonly remainingMs: number;
  /** How long the pause of the pair still lasts, by the store's clock; null when it is not paused. */
  readonly pausedForMs: number | null;
  /** The store's WAL timeline now. A row observed on another timeline is another row. */
  readonly timeline: number;
}

/** Why a claim may be made; the store checks its part of it again. */
export type ClaimBasis =
  | 'released'
  | 'testified'
  | 'silence'
  /** An operator orders it, whoever holds the lease and whatever is known of him. */
  | 'forced';

export interface Claim {
  readonly holder: Holder;
  readonly basis: ClaimBasis;
  readonly observed: { readonly term: Term; readonly renewSeq: bigint; readonly timeline: number };
  /** The highest term heard of from anyone; the granted term is above it. */
  readonly highestTerm: Term;
  readonly ttlMs: number;
  /** With silence of 3 T: the store's clock must have gone back, so its verdict on expiry is not asked. */
  readonly evenIfNotExpired?: boolean;
  /** An operator's order: granted also while the pair holds still. */
  readonly ordered: boolean;
  /** So many claims within such a time, and only the last holder's node may claim. */
  readonly limit: { readonly claims: number; readonly windowMs: number };
  /** Kept with the grant, for `why`. */
  readonly evidence: string;
}

export interface Failed {
  readonly kind: 'failed';
  readonly error: string;
}
export type LeaseRead = { readonly kind: 'read'; readonly row: LeaseRow } | Failed;
export type ClaimResult =
  | { readonly kind: 'granted'; readonly row: LeaseRow }
  /**
   * The row is not as observed, or the basis does not hold in the store. `holdsStill`: the pair is paused, or
   * has failed over too often, and this node is not the last holder's.
   */
  | {
      readonly kind: 'refused';
      readonly row: LeaseRow;
      readonly why: string;
      readonly holdsStill: boolean;
    }
  | Failed;
export type RenewResult =
  | { readonly kind: 'granted'; readonly row: LeaseRow }
  /** Definitely lost: another term, another incarnation, released, or expired. */
  | { readonly kind: 'refused'; readonly row: LeaseRow }
  | Failed;
export type ReleaseResult =
  | { readonly kind: 'released'; readonly row: LeaseRow }
  | { readonly kind: 'refused'; readonly row: LeaseRow }
  | Failed;
export type HandOverResult =
  | { readonly kind: 'handed-over'; readonly row: LeaseRow }
  | { readonly kind: 'refused'; readonly row: LeaseRow }
  | Failed;
export type ProbeResult = { readonly kind: 'written' } | { readonly kind: 'replaced' } | Failed;
