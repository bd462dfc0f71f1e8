import type { Term } from '@understudy/shared/kernel/term';

/** An event before it has a place: what happened or was decided, from which evidence, by which rule. */
export interface EventDraft {
  readonly kind: string;
  readonly term: Term | null;
  readonly message: string;
  readonly rule: string | null;
  readonly evidence: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** A draft with nothing but what is given. */
export function draft(
  kind: string,
  message: string,
  rest: Partial<Omit<EventDraft, 'kind' | 'message'>> = {},
): EventDraft {
  return { kind, message, term: null, rule: null, evidence: null, facts: {}, ...rest };
}
