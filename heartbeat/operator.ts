import type { Term } from '@understudy/shared/kernel/term';
import type { switchOverAnswerSchema } from '@understudy/shared/protocol/peer';
import type { z } from 'zod';

/** What an operator may ask of a heartbeat. Everything is answered within a time limit; nothing throws. */
export interface Operator {
  /**
   * Moves the active role to `to`, or to whichever peer is ready when null. Asked of a passive node, it is
   * passed on to the active one. Answers when the new active serves, or why nothing was changed.
   */
  switchOver(to: string | null): Promise<SwitchOverResult>;
  /** No automatic change of roles for so long, in the whole pair; it ends by itself. Null ends it now. */
  pause(forMs: number | null): Promise<PauseResult>;
  /**
   * This node ceases to be active. In manual mode nobody else takes the role: the heartbeat ends with exit code
   * 0, and the service manager starts it again as a passive one [S3]. Otherwise a ready peer is active next.
   */
  stepDown(): Promise<SwitchOverResult>;
  /** Manual mode: this node takes the free role. Refused while another node is active. */
  promote(): Promise<SwitchOverResult>;
  /**
   * This node takes the role, whoever has it and whatever is known of him: his writers' sessions are ended, and
   * he can commit nothing any more. He may answer on until his trust runs out. Not by pause or limit held back.
   */
  force(): Promise<SwitchOverResult>;
}

/**
 * `no-active`: nobody is active, or this node can't reach who is. `not-held`: the controller could not finish
 * what was under way in time. In every case nothing was changed, but for `failed`, whose reason says more.
 */
export type SwitchOverRefusal = Extract<
  z.infer<typeof switchOverAnswerSchema>,
  { kind: 'refused' }
>['why'];

export type SwitchOverResult =
  | {
      readonly kind: 'done';
      readonly from: string;
      readonly to: string;
      readonly term: Term;
      /** From when the old active took no new request until the new one served; null when not known. */
      readonly interruptedMs: number | null;
    }
  | { readonly kind: 'refused'; readonly why: SwitchOverRefusal; readonly reason: string };

export type PauseResult =
  /** `forMs` as the store has it now; null: not paused. */
  | { readonly kind: 'done'; readonly forMs: number | null }
  | { readonly kind: 'refused'; readonly why: 'store-away'; readonly reason: string };
