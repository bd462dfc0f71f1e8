import type { ProcessIdentity } from './identity.ts';
import type { Failed } from './port.ts';

/**
 * Who holds which node id. An id is taken by compare-and-set on the incarnation that was observed to
 * hold it; whether that one still lives is for the caller to find out before it takes the id over.
 * As with the lease: each call has a time limit, `failed` means unknown, and nothing throws.
 */
export interface NodeRegistry {
  /** Who holds our node id now; null: nobody ever did. */
  read(): Promise<NodeRead>;
  /** Takes our node id for our incarnation. Answers `taken` again when it is ours already. */
  take(observedIncarnation: string | null): Promise<NodeTake>;
}

/** What a node tells of itself when it registers. */
export interface NodeIdentity extends ProcessIdentity {
  readonly heartbeatUrl: string;
  readonly controllerUrl: string;
  readonly version: string;
}

export interface RegisteredNode {
  readonly incarnation: string;
  readonly heartbeatUrl: string;
  readonly bootId: string;
  readonly pid: number;
  readonly pidStart: string;
  /** Rises with each sign of life: a holder whose number stands still may be gone. */
  readonly seenSeq: bigint;
}

export type NodeRead = { readonly kind: 'read'; readonly node: RegisteredNode | null } | Failed;
export type NodeTake =
  | { readonly kind: 'taken' }
  /** Another incarnation holds the id than the one observed: read again. */
  | { readonly kind: 'changed' }
  | Failed;
