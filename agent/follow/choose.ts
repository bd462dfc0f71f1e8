import type { Term } from '@understudy/shared/kernel/term';

/** A controller that an agent may follow. */
export interface Target {
  readonly url: string;
  readonly node: string;
  readonly term: Term;
}

/** What one controller said, or did not say, when asked whether it may serve. */
export type Answer =
  | { readonly type: 'ready'; readonly target: Target }
  /** It answered, but not as an active controller: passive, still loading, or it refuses our token. */
  | { readonly type: 'not-ready'; readonly url: string; readonly reason: string }
  | { readonly type: 'silent'; readonly url: string; readonly reason: string };

/**
 * Which of those that answered is to be followed: the highest term wins, because only the newest
 * grant can be the true one; never one below the highest term that this agent has seen.
 */
export function chooseTarget(answers: readonly Answer[], highest: Term): Target | null {
  let best: Target | null = null;
  for (const answer of answers) {
    if (answer.type !== 'ready' || answer.target.term < highest) continue;
    if (best === null || answer.target.term > best.term) best = answer.target;
  }
  return best;
}

/** What a round found, for the log: every controller with its answer. */
export function describeAnswers(answers: readonly Answer[], highest: Term): string {
  return answers.map((answer) => describe(answer, highest)).join('; ');
}

function describe(answer: Answer, highest: Term): string {
  if (answer.type !== 'ready') return `${answer.url}: ${answer.reason}`;
  const { url, term } = answer.target;
  return term < highest
    ? `${url}: serves term ${term}, but term ${highest} has been seen`
    : `${url}: serves term ${term}`;
}
