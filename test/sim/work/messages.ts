import type { Attempt, Outcome } from '@understudy/agent/attempt/attempt';
import type { Refusal } from '@understudy/agent/attempt/decide';
import type { Term } from '@understudy/shared/kernel/term';

/** What a controller tells an agent on the order stream. */
export type Order =
  | { readonly type: 'hello' | 'beat' | 'leave'; readonly term: Term }
  | {
      readonly type: 'start';
      readonly term: Term;
      readonly run: string;
      readonly attempt: number;
      readonly delivery: 'at-most-once' | 'at-least-once';
    };

/**
 * What an agent reports, until it is acknowledged. `of`: the attempt as it was when it was reported; only its agent looks at
 * that.
 */
export type Report = { readonly run: string; readonly attempt: number } & (
  | { readonly type: 'started'; readonly of: Attempt }
  | {
      readonly type: 'ended';
      readonly outcome: Outcome;
      readonly exitCode: number | null;
      readonly of: Attempt;
    }
  | { readonly type: 'refused'; readonly reason: Refusal }
);
