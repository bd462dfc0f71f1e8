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
  | 'serving'
  /** It serves nobody and writes nothing, and could go on: a switch-over is under way. */
  | 'held'
  /** Its tenure was handed over: it only passes on to the new active what still comes. */
  | 'forwarding';

/** What this node holds while it is active. Instants are milliseconds of the monotonic clock. */
export interface Tenure {
  readonly term: Term;
  /** Past this instant this node trusts itself no more: start of the attempt + T - M. */
  readonly trustedUntil: number;
  readonly beganAt: number;
  /** A controller that does not serve by then is killed. */
  readonly serveBy: number;
  /** The timeline of the store under which the lease was granted, and the controller reads what is open. */
  readonly timeline: number;
  readonly nextRenewAt: number;
  readonly renewing: boolean;
  /** Of the lease row as it was last granted or renewed. */
  readonly renewSeq: bigint;
  /** A renewal sent before this instant proves nothing: the host slept since. */
  readonly provenBy: number;
  /** Since when renewals fail; null while they succeed. */
  readonly failingSince: number | null;
  readonly consent: Consent;
}

/** What a holder whose renewals fail has heard from its peers (PROTOCOL.md, "Failsafe"). */
export interface Consent {
  readonly nextAskAt: number;
  /** By the peer's URL: until when it stays passive, counted from when it was asked. */
  readonly until: Readonly<Record<string, number>>;
  /** A peer that answered that the store is fine where it is, and when it was asked. */
  readonly storeFine: { readonly peer: string; readonly askedAt: number } | null;
  /** Since when trust rests on consent; null while it rests on the store. */
  readonly failsafeSince: number | null;
}

/** A passive's word to the holder of `term`: no claim by silence before `until`. */
export interface PassivePromise {
  readonly term: Term;
  readonly until: number;
}

/** The node that is to take over, and where its controller answers. */
export interface Successor {
  readonly holder: Holder;
  readonly controllerUrl: string;
}

export type DemoteReason =
  | 'asked-to-stop'
  | 'asked-to-switch-over'
  | 'controller-ended'
  | 'controller-unhealthy'
  | 'controller-did-not-serve'
  | 'lease-lost'
  | 'trust-ran-out'
  | 'store-reachable-by-peer'
  | 'higher-term-seen'
  | 'store-failed-over';

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
  | {
      readonly name: 'promoting';
      readonly tenure: Tenure;
      readonly activated: boolean;
      /** Its port is open, and who comes waits until it serves. */
      readonly isListening: boolean;
    }
  | { readonly name: 'serving'; readonly tenure: Tenure; readonly servingSince: number }
  /** Going passive, softly: the controller answers what is under way; the lease is still renewed. */
  | {
      readonly name: 'draining';
      readonly tenure: Tenure;
      readonly until: number;
      readonly why: Demotion;
    }
  /** Switching over: the controller finishes what is under way and takes nothing new. */
  | {
      readonly name: 'quiescing';
      readonly tenure: Tenure;
      readonly servingSince: number;
      readonly successor: Successor;
      readonly until: number;
      readonly askedAt: number;
    }
  /** Switching over: the controller writes no more; the lease is being handed over. */
  | {
      readonly name: 'handing-over';
      readonly tenure: Tenure;
      readonly servingSince: number;
      readonly successor: Successor;
      readonly askedAt: number;
      /** `waiting`: for the renewal under way. `unknown`: the answer was lost, a renewal will tell. */
      readonly attempt: 'waiting' | 'sent' | 'unknown';
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
  /** Our word to a holder in failsafe; null when none is given. */
  readonly promise: PassivePromise | null;
  /** A peer is about to hand the lease of this term over to us. */
  readonly expected: { readonly term: Term; readonly until: number } | null;
  /** Until then our old controller passes on what still comes to it; null when it doesn't. */
  readonly forwarding: { readonly until: number; readonly isEnding: boolean } | null;
  /** Until then a claim is an operator's order. */
  readonly orderedUntil: number;
  /** Until then the order counts against a holder too, whatever is known of it. Over once it was granted. */
  readonly forcedUntil: number;
  /** The pair is paused until then, as far as we know. */
  readonly pausedUntil: number;
  /** Why this node must not take part, for instance because its peer uses another database. */
  readonly disagreement: string | null;
  /** How many other nodes spoke to this one lately: more than are configured can't all be asked. */
  readonly peersHeard: number;
  /** The term that we handed over last: if nothing comes of it, we may take the role back. */
  readonly gaveTerm: Term;
  /** Since when this node could take over; null while it could not. */
  readonly readySince: number | null;
  /** Not before then does a preferred node ask for the role. */
  readonly nextFailbackAt: number;
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
  /** The peers' URLs: failsafe needs the consent of each. */
  readonly peers: readonly string[];
  /** Manual: no claim without an operator's order. */
  readonly mode: 'automatic' | 'manual';
  /** A preferred node asks for the role once it was ready for so long; null: never. */
  readonly failbackMs: number | null;
  /** Whether the controller can stop in the middle and go on; a wrapped program can only end. */
  readonly canHold: boolean;
  /** D: how long a controller may take to finish what is under way at a switch-over. */
  readonly holdMs: number;
  /** How soon the new active must serve after a hand-over, or it gives the lease back. */
  readonly serveHandedOverWithinMs: number;
  /** How long an old controller passes on what still comes to it. */
  readonly forwardMs: number;
  readonly limit: { readonly claims: number; readonly windowMs: number };
}

/** What happened. Answers carry `sentAt`: trust is counted from when an attempt began. */
export type RoleEvent =
  | { readonly kind: 'tick' }
  /** The store hinted that the lease may have changed. */
  | { readonly kind: 'hint' }
  | { readonly kind: 'lease-read'; readonly row: LeaseRow }
  | { readonly kind: 'read-failed'; readonly error: string }
  | { readonly kind: 'claim-granted'; readonly sentAt: number; readonly row: LeaseRow }
  | {
      readonly kind: 'claim-refused';
      readonly row: LeaseRow;
      readonly why: string;
      readonly holdsStill: boolean;
    }
  | { readonly kind: 'claim-failed'; readonly error: string }
  | { readonly kind: 'renew-granted'; readonly sentAt: number; readonly row: LeaseRow }
  | { readonly kind: 'renew-refused'; readonly term: Term; readonly row: LeaseRow }
  | {
      readonly kind: 'renew-failed';
      readonly term: Term;
      readonly sentAt: number;
      readonly error: string;
    }
  /** A peer is bound to stay passive for `forMs`, counted from `sentAt`. */
  | {
      readonly kind: 'consent-given';
      readonly peer: string;
      readonly term: Term;
      readonly sentAt: number;
      readonly forMs: number;
    }
  | {
      readonly kind: 'consent-refused';
      readonly peer: string;
      readonly term: Term;
      readonly sentAt: number;
      readonly why: ConsentRefusal;
      readonly highestTerm: Term;
    }
  /** We gave our consent to the holder of `term`. Only after `whyNoConsent`. */
  | { readonly kind: 'consented'; readonly term: Term; readonly until: number }
  /** An operator, or a preferred peer, wants the role to move; the successor has said that it is ready. */
  | { readonly kind: 'switch-over-asked'; readonly successor: Successor }
  /** The holder of `term` is about to hand its lease over to us. */
  | { readonly kind: 'hand-over-expected'; readonly term: Term; readonly until: number }
  | { readonly kind: 'handed-over'; readonly term: Term; readonly row: LeaseRow }
  | { readonly kind: 'hand-over-refused'; readonly term: Term; readonly row: LeaseRow }
  | { readonly kind: 'hand-over-failed'; readonly term: Term; readonly error: string }
  | { readonly kind: 'controller-held' }
  | { readonly kind: 'controller-hold-failed'; readonly reason: string }
  /** An operator orders this node to take the role: should it be free, or by force, whoever has it. */
  | { readonly kind: 'promote-ordered'; readonly until: number; readonly isForced: boolean }
  /** So many other nodes spoke to this one lately. */
  | { readonly kind: 'peers-heard'; readonly count: number }
  /** Null: all agree again. */
  | { readonly kind: 'disagreement'; readonly reason: string | null }
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
  | { readonly kind: 'controller-listening'; readonly term: Term }
  | { readonly kind: 'controller-serving'; readonly term: Term }
  | { readonly kind: 'controller-unhealthy'; readonly detail: string }
  /** Its process was reaped and its group killed: nothing of it runs. */
  | { readonly kind: 'controller-gone'; readonly detail: string }
  | { readonly kind: 'controller-saw-higher-term'; readonly term: Term }
  /** The host slept: wall and monotonic clock disagree. */
  | { readonly kind: 'suspended' }
  | { readonly kind: 'stop' };

export type ConsentRefusal = 'store-fine' | 'not-passive' | 'claiming' | 'higher-term';

/** What is to be done. The real process and the simulator are two interpreters of these. */
export type RoleEffect =
  | { readonly kind: 'read-lease' }
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'renew'; readonly held: Held; readonly evenIfExpired: boolean }
  /** Asks every peer to stay passive for `forMs`. */
  | { readonly kind: 'ask-consent'; readonly held: Held; readonly forMs: number }
  | {
      readonly kind: 'hand-over';
      readonly held: Held;
      readonly renewSeq: bigint;
      readonly to: Holder;
    }
  /** Asks the active peer to hand the role over to this node, which is preferred. */
  | { readonly kind: 'ask-switch-over' }
  | { readonly kind: 'release'; readonly held: Held }
  /** Releases what an earlier incarnation of this host left behind. */
  | { readonly kind: 'break'; readonly held: Held }
  | { readonly kind: 'ask-testimony'; readonly held: Held }
  | { readonly kind: 'tell-peers-tenure-over'; readonly term: Term }
  | { readonly kind: 'start-controller' }
  | { readonly kind: 'activate-controller'; readonly term: Term; readonly trustedUntil: number }
  | {
      readonly kind: 'extend-tenure';
      readonly term: Term;
      readonly trustedUntil: number;
      readonly failsafe: boolean;
    }
  | { readonly kind: 'drain-controller'; readonly graceMs: number }
  | { readonly kind: 'hold-controller'; readonly forMs: number }
  | { readonly kind: 'resume-controller' }
  | { readonly kind: 'forward-controller'; readonly to: string; readonly forMs: number }
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
  | { readonly kind: 'suspended' }
  | { readonly kind: 'failsafe-begun'; readonly term: Term; readonly peers: readonly string[] }
  | { readonly kind: 'failsafe-ended'; readonly term: Term; readonly afterMs: number }
  | { readonly kind: 'consent-refused'; readonly peer: string; readonly why: ConsentRefusal }
  | { readonly kind: 'consented'; readonly term: Term; readonly forMs: number }
  | { readonly kind: 'switching-over'; readonly term: Term; readonly to: string }
  | { readonly kind: 'switch-over-called-off'; readonly reason: string }
  | {
      readonly kind: 'handed-over';
      readonly term: Term;
      readonly to: string;
      readonly newTerm: Term;
      readonly afterMs: number;
    }
  | { readonly kind: 'taken-over'; readonly term: Term }
  | { readonly kind: 'holds-still'; readonly why: string }
  | { readonly kind: 'paused'; readonly forMs: number }
  | { readonly kind: 'pause-over' }
  | { readonly kind: 'disagreement'; readonly reason: string }
  | { readonly kind: 'asks-for-role'; readonly readyForMs: number };

export interface Step {
  readonly state: RoleState;
  readonly effects: readonly RoleEffect[];
}
