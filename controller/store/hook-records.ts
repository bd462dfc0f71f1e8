import type { DeliveryState, Hook, HookEvent } from '@understudy/shared/protocol/hooks';
import type { SealedWith } from '../security/keyring.ts';

/** What signs the notices of a hook, as it is stored. */
export type HookSecret =
  | ({ readonly type: 'sealed' } & SealedWith)
  /** Stored by a version that did not seal it. */
  | { readonly type: 'plain'; readonly text: string };

/** A web hook. Instants are milliseconds since 1970. */
export interface HookRecord {
  readonly name: string;
  /** Of this life of the name. */
  readonly id: string;
  readonly definition: Omit<Hook, 'secret'>;
  readonly secret: HookSecret | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Something that a hook is to be told. */
export interface NewDelivery {
  readonly hook: string;
  readonly id: string;
  readonly event: HookEvent;
  readonly subject: string | null;
  readonly at: number;
  readonly body: string;
}

/** What one try came to. */
export interface DeliveryOutcome {
  readonly hook: string;
  readonly id: string;
  readonly state: DeliveryState;
  /** How often it was tried, this time included. */
  readonly attempts: number;
  /** When it is pending: how long it rests. */
  readonly pauseMs: number;
  readonly status: number | null;
  readonly problem: string | null;
}

/** One that waits to be sent. */
export interface PendingDelivery {
  readonly id: string;
  readonly event: HookEvent;
  readonly body: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** How long ago it was written, by the store's clock. */
  readonly ageMs: number;
  /** How long it still rests; 0: it is due. */
  readonly waitMs: number;
}

export interface DeliveryRecord {
  readonly id: string;
  readonly event: HookEvent;
  readonly subject: string | null;
  readonly state: DeliveryState;
  readonly createdAt: number;
  readonly attempts: number;
  readonly dueAt: number;
  readonly finishedAt: number | null;
  readonly status: number | null;
  readonly problem: string | null;
}
