import type { Term } from '@understudy/shared/kernel/term';

/** What is wanted of the virtual addresses. Instants are milliseconds of the monotonic clock. */
export type Aim =
  /** This host must not have them. */
  | { readonly kind: 'absent' }
  /** The controller serves: this host has them. Trust ends a little before the lease. */
  | {
      readonly kind: 'present';
      readonly term: Term;
      readonly trustedUntil: number;
      readonly leaseUntil: number;
    }
  /** The lease was handed over: they stay until what was asked under them is answered. */
  | { readonly kind: 'leaving' };

/** What the kernel shows; an address whose interface is down is in neither list. */
export interface Found {
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

export interface AddressState {
  readonly aim: Aim;
  /** The one command that is under way. */
  readonly running:
    | { readonly kind: 'put'; readonly startedAt: number; readonly lifeS: number }
    | { readonly kind: 'close' }
    | { readonly kind: 'remove' }
    | null;
  /** The kernel keeps what was put last for so long, or a little longer; null: we have put nothing, or removed it. */
  readonly keptUntil: number | null;
  /** The end of the lease under which it was put. */
  readonly putFor: number;
  /** Not before then is a command that failed tried again. */
  readonly retryAt: number;
  /** What went wrong with the last command; null when nothing did. */
  readonly problem: string | null;
  /** When what the kernel has is looked at again, though nothing happened. */
  readonly lookAt: number;
  /** It was told that they have vanished, and they are not back. */
  readonly isLossTold: boolean;
  /** So often were they announced since they came to this host. */
  readonly announced: number;
  readonly announceAt: number;
  /** Leaving: the door is closed then, at the latest, if the next active serves. */
  readonly closeBy: number;
  /** Leaving: the door is closed. Who is connected is answered, and nobody else gets in. */
  readonly isClosed: boolean;
  /** Leaving, with a closed door: they go then, unless a connection ends before that. */
  readonly drainBy: number;
  /** Leaving, with a closed door: there were never fewer connections than that. */
  readonly fewest: number;
  /** Leaving: they go then, at the latest. */
  readonly leaveBy: number;
  /** Leaving: the next active serves. */
  readonly hasSuccessor: boolean;
  /** Leaving: until then the kernel is told to keep them longer; infinite: the next active was not heard yet. */
  readonly renewUntil: number;
}

export type AddressEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'aim'; readonly aim: Aim }
  | { readonly kind: 'put-done' }
  | { readonly kind: 'put-failed'; readonly error: string }
  | { readonly kind: 'closed' }
  | { readonly kind: 'close-failed'; readonly error: string }
  | { readonly kind: 'removed' }
  | { readonly kind: 'remove-failed'; readonly error: string }
  /** The node to which the lease was handed over serves, and was heard at that instant. */
  | { readonly kind: 'successor-serves'; readonly heardAt: number }
  /** So many connections under the addresses have something under way. */
  | { readonly kind: 'looked'; readonly connections: number };

export type AddressEffect =
  /** Adds them, or gives them more time, for so many seconds. Anew: whatever is left of an earlier tenure goes first. */
  | { readonly kind: 'put'; readonly lifeS: number; readonly isAnew: boolean }
  /** Lets nobody in who is not connected yet. */
  | { readonly kind: 'close' }
  | { readonly kind: 'remove' }
  /** Ends the command that is under way. */
  | { readonly kind: 'break-off' }
  /** Tells the network that they are here. */
  | { readonly kind: 'announce' }
  | { readonly kind: 'tell'; readonly story: AddressStory };

export type AddressStory =
  | { readonly kind: 'address-added'; readonly term: Term | null; readonly lifeS: number }
  | { readonly kind: 'address-removed'; readonly why: string }
  /** They vanished from the active host, and nobody here has removed them. */
  | { readonly kind: 'address-lost'; readonly addresses: readonly string[] }
  /** A host that is not active has them. */
  | { readonly kind: 'address-found'; readonly addresses: readonly string[] }
  | {
      readonly kind: 'address-failed';
      readonly what: 'add' | 'close' | 'remove' | 'announce';
      readonly error: string;
    };

export interface AddressStep {
  readonly state: AddressState;
  readonly effects: readonly AddressEffect[];
}
