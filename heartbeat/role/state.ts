import type { Term } from '@understudy/shared/kernel/term';
import type { Claim, Held, Holder, LeaseRow } from '../lease/port.ts';
import type { Watch } from '../suspicion/watch.ts';

/** What users see; `phase` is the finer, internal view. */
export type Role = 'active' | 'passive';

/** What the heartbeat knows of its controller. */
export type ControllerView =
  /** No process of it exists. */
  | 'none'
  | 'starting'
  /** Running, but it could not take over now. */
  | 'unready'
  /** Warm: it could be activated at once. */
  | 'ready'
  | 'activating'
  | 'serving';

/** What this node holds while it is active. Instants are milliseconds of the monotonic clock. */
export interface Tenure {
  readonly term: Term;
  /** Past this instant this node trusts itself no more: start of the attempt + T - M. */
  readonly trustedUntil: number;
  readonly beganAt: number;
  readonly nextRenewAt: number;
  readonly renewing: boolean;
  /** A renewal sent before this instant proves nothing: the host slept since. */
  readonly provenBy: number;
}

export type DemoteReason =
  | 'asked-to-stop'
  | 'controller-ended'
  | 'controller-unhealthy'
  | 'controller-did-not-serve'
  | 'lease-lost'
  | 'trust-ran-out'
  | 'higher-term-seen';

/** Why a demotion happens; `detail` is for people. */
export interface Demotion {
  readonly reason: DemoteReason;
  readonly detail: string;
}

export type Phase =
  /** Passive: reads the lease, waits for a reason to claim it. */
  | { readonly name: 'watching' }
  /** Passive: a claim is under way. `answerLost`: its outcome is unknown, the row must be read. */
  | {
      readonly name: 'claiming';
      readonly sentAt: number;
      readonly answerLost: boolean;
      /** A grant is above this term; one that is not, is an old one that a fail-over of the store brought back. */
      readonly above: Term;
    }
  /** Active by the store; the controller is being activated. */
  | { readonly name: 'promoting'; readonly tenure: Tenure; readonly activated: boolean }
  | { readonly name: 'serving'; readonly tenure: Tenure; readonly servingSince: number }
  /** Going passive, softly: the controller answers what is under way; the lease is still renewed. */
  | {
      readonly name: 'draining';
      readonly tenure: Tenure;
      readonly until: number;
      readonly why: Demotion;
    }
  /** Going passive, at once: the controller is being killed; nothing of the term is trusted any more. */
  | { readonly name: 'fencing'; readonly term: Term; readonly why: Demotion }
  /** The controller is dead; the lease is being given back. */
  | { readonly name: 'releasing'; readonly term: Term; readonly why: Demotion }
  | { readonly name: 'stopped' };

export type PhaseName = Phase['name'];

export interface RoleState {
  readonly phase: Phase;
  readonly controller: ControllerView;
  /** Why the controller is not ready, as it says. */
  readonly controllerProblems: readonly string[];
  readonly watch: Watch;
  readonly reading: boolean;
  /** A hint came while a reading was under way: it may have been too early, so another one follows. */
  readonly readAgain: boolean;
  readonly nextReadAt: number;
  /** Since when the store does not answer; null while it does. */
  readonly storeAwaySince: number | null;
  /** When this host was last seen to have slept: what was sent before proves nothing. */
  readonly sleptAt: number;
  /** The highest term heard of from anyone. */
  readonly highestTerm: Term;
  /** We gave our word: no grant up to this term is used by us. */
  readonly boundTerm: Term;
  /** The holder's host gave its word for all terms up to this one. */
  readonly testifiedTerm: Term;
  readonly nextAskAt: number;
  /** A peer hinted that its tenure is over: its word is asked for until this instant. */
  readonly askUntil: number;
  /**
   * The incarnation that had this node id before, if it is proven that it ran on this host and is dead.
   * Only for it, and for ourselves, may this node speak.
   */
  readonly predecessor: string | null;
  /** A lease of ours, or of our predecessor, that we are giving back: not asked for twice. */
  readonly givingBack: Term | null;
  readonly stopping: boolean;
  /** Tenures in a row that failed soon after they began; see `holdOff`. */
  readonly earlyFailures: number;
  /** Not before this instant do we claim again. */
  readonly claimNotBefore: number;
}

export interface RoleOptions {
  readonly self: Holder;
  readonly ttlMs: number;
  readonly renewEveryMs: number;
  readonly callTimeoutMs: number;
  readonly marginMs: number;
  readonly pollEveryMs: number;
  readonly clockRateBound: number;
  /** A controller that doesn't serve so long after its activation is killed. */
  readonly serveWithinMs: number;
  /** How long a controller may drain. */
  readonly drainMs: number;
  /** Cold: a controller is started only when the lease was granted. */
  readonly standby: 'warm' | 'cold';
}

/** What happened. Answers carry `sentAt`: trust is counted from when an attempt began. */
export type RoleEvent =
  | { readonly kind: 'tick' }
  /** The store hinted that the lease may have changed. */
  | { readonly kind: 'hint' }
  | { readonly kind: 'lease-read'; readonly row: LeaseRow }
  | { readonly kind: 'read-failed'; readonly error: string }
  | { readonly kind: 'claim-granted'; readonly sentAt: number; readonly row: LeaseRow }
  | { readonly kind: 'claim-refused'; readonly row: LeaseRow; readonly why: string }
  | { readonly kind: 'claim-failed'; readonly error: string }
  | { readonly kind: 'renew-granted'; readonly sentAt: number; readonly row: LeaseRow }
  | { readonly kind: 'renew-refused'; readonly term: Term; readonly row: LeaseRow }
  | { readonly kind: 'renew-failed'; readonly term: Term; readonly error: string }
  | { readonly kind: 'given-back'; readonly term: Term; readonly row: LeaseRow }
  | { readonly kind: 'give-back-failed'; readonly term: Term; readonly error: string }
  /** A peer bound itself: no controller of its host runs or will run under terms up to `term`. */
  | { readonly kind: 'testimony'; readonly node: string; readonly term: Term }
  /** We gave our word to a peer. Only after `mayTestify`. */
  | { readonly kind: 'testified'; readonly term: Term }
  /** A peer says that its tenure is over: worth asking for its word. */
  | { readonly kind: 'peer-hint' }
  | { readonly kind: 'heard-term'; readonly term: Term }
  | { readonly kind: 'controller-starting' }
  | { readonly kind: 'controller-ready' }
  | { readonly kind: 'controller-unready'; readonly problems: readonly string[] }
  | { readonly kind: 'controller-serving'; readonly term: Term }
  | { readonly kind: 'controller-unhealthy'; readonly detail: string }
  /** Its process was reaped and its group killed: nothing of it runs. */
  | { readonly kind: 'controller-gone'; readonly detail: string }
  | { readonly kind: 'controller-saw-higher-term'; readonly term: Term }
  /** The host slept: wall and monotonic clock disagree. */
  | { readonly kind: 'suspended' }
  | { readonly kind: 'stop' };

/** What is to be done. The real process and the simulator are two interpreters of these. */
export type RoleEffect =
  | { readonly kind: 'read-lease' }
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'renew'; readonly held: Held }
  | { readonly kind: 'release'; readonly held: Held }
  /** Releases what an earlier incarnation of this host left behind. */
  | { readonly kind: 'break'; readonly held: Held }
  | { readonly kind: 'ask-testimony'; readonly held: Held }
  | { readonly kind: 'tell-peers-tenure-over'; readonly term: Term }
  | { readonly kind: 'start-controller' }
  | { readonly kind: 'activate-controller'; readonly term: Term; readonly trustedUntil: number }
  | { readonly kind: 'extend-tenure'; readonly term: Term; readonly trustedUntil: number }
  | { readonly kind: 'drain-controller'; readonly graceMs: number }
  | { readonly kind: 'kill-controller' }
  /** A line of the fail-over story. */
  | { readonly kind: 'tell'; readonly story: Story }
  | { readonly kind: 'finish' };

export type Story =
  | { readonly kind: 'claiming'; readonly basis: string; readonly evidence: string }
  | { readonly kind: 'claim-refused'; readonly why: string }
  | { readonly kind: 'claim-answer-lost'; readonly error: string }
  | { readonly kind: 'granted'; readonly term: Term }
  | { readonly kind: 'grant-not-used'; readonly term: Term; readonly why: string }
  | { readonly kind: 'serving'; readonly term: Term; readonly afterMs: number }
  | { readonly kind: 'demoting'; readonly term: Term; readonly why: Demotion }
  | { readonly kind: 'fenced'; readonly term: Term }
  | { readonly kind: 'given-back'; readonly term: Term }
  | { readonly kind: 'give-back-failed'; readonly term: Term; readonly error: string }
  | { readonly kind: 'predecessor-found'; readonly term: Term }
  | { readonly kind: 'store-away'; readonly error: string }
  | { readonly kind: 'store-back'; readonly afterMs: number }
  | { readonly kind: 'suspended' };

export interface Step {
  readonly state: RoleState;
  readonly effects: readonly RoleEffect[];
}
