import type { Term } from '@understudy/shared/kernel/term';
import type { Attempt } from './attempt.ts';

export type Refusal = 'stale-term' | 'no-slot' | 'draining' | 'giving-up' | 'not-understood';

/** What a worker knows when an order to start arrives. */
export interface Situation {
  /** The highest term that this agent has seen. */
  readonly highest: Term;
  /** The attempt, when the journal knows it. */
  readonly known: Attempt | undefined;
  /** The answer this very attempt got before, when it was refused for good. */
  readonly refused: Refusal | undefined;
  /** Attempts that take a slot. */
  readonly open: number;
  readonly slots: number;
  readonly closing: 'no' | 'draining' | 'giving-up';
}

export type Decision =
  | { readonly type: 'start' }
  /** Known already: report its state again. */
  | { readonly type: 'answer' }
  | { readonly type: 'refuse'; readonly reason: Refusal };

/**
 * What to do with an order to start an attempt. The term comes first: whoever sends a lower one is no
 * longer active, whatever it asks for. An attempt that is known is never started, at any term.
 */
export function decideStart(term: Term, situation: Situation): Decision {
  const { highest, known, refused, open, slots, closing } = situation;
  if (term < highest) return { type: 'refuse', reason: 'stale-term' };
  if (known !== undefined) return { type: 'answer' };
  if (refused !== undefined) return { type: 'refuse', reason: refused };
  if (closing !== 'no') return { type: 'refuse', reason: closing };
  if (open >= slots) return { type: 'refuse', reason: 'no-slot' };
  return { type: 'start' };
}
