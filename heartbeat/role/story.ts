import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Story } from './state.ts';

/** A line of the fail-over story as an operator reads it at three in the morning. */
export interface StoryLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Puts a story into words. */
export function narrate(story: Story): StoryLine {
  switch (story.kind) {
    case 'claiming':
      return info('claims the lease', { basis: story.basis, evidence: story.evidence });
    case 'claim-refused':
      return info('the claim was refused', { why: story.why });
    case 'claim-answer-lost':
      return warn('the answer to the claim was lost: reads the lease', { error: story.error });
    case 'granted':
      return info('the lease was granted: activates the controller', { term: story.term });
    case 'grant-not-used':
      return warn('gives a grant back unused', { term: story.term, why: story.why });
    case 'serving':
      return info('active: the controller serves', {
        term: story.term,
        afterMs: Math.round(story.afterMs),
      });
    case 'demoting':
      return (story.why.reason === 'asked-to-stop' ? info : warn)('goes passive', {
        term: story.term,
        reason: story.why.reason,
        detail: story.why.detail,
      });
    case 'fenced':
      return info('fenced: nothing of the term runs here any more', { term: story.term });
    case 'given-back':
      return info('passive: the lease was given back', { term: story.term });
    case 'give-back-failed':
      return warn('passive: the lease could not be given back, it will run out', {
        term: story.term,
        error: story.error,
      });
    case 'predecessor-found':
      return warn('an earlier heartbeat of this node left a lease behind: gives it back', {
        term: story.term,
      });
    case 'store-away':
      return error('the store does not answer', { error: story.error });
    case 'store-back':
      return info('the store answers again', { afterMs: Math.round(story.afterMs) });
    case 'suspended':
      return warn('this host was suspended: verifies the lease before anything else', {});
    default:
      return unreachable(story);
  }
}

function info(message: string, fields: StoryLine['fields']): StoryLine {
  return { level: 'info', message, fields };
}

function warn(message: string, fields: StoryLine['fields']): StoryLine {
  return { level: 'warn', message, fields };
}

function error(message: string, fields: StoryLine['fields']): StoryLine {
  return { level: 'error', message, fields };
}
