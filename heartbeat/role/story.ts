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
    case 'failsafe-begun':
      return error('failsafe: the store is away, and every peer stays passive meanwhile', {
        term: story.term,
        peers: story.peers,
      });
    case 'failsafe-ended':
      return info('failsafe is over: the store answers again', {
        term: story.term,
        afterMs: Math.round(story.afterMs),
      });
    case 'consent-refused':
      return warn('a peer does not agree to stay passive', { peer: story.peer, why: story.why });
    case 'consented':
      return warn('the store is away: stays passive for the holder of the lease', {
        term: story.term,
        forMs: Math.round(story.forMs),
      });
    case 'switching-over':
      return info('switches over: the controller finishes what is under way', {
        term: story.term,
        to: story.to,
      });
    case 'switch-over-called-off':
      return warn('the switch-over was called off: nothing was changed', { reason: story.reason });
    case 'handed-over':
      return info('passive: the lease was handed over', {
        term: story.term,
        to: story.to,
        newTerm: story.newTerm,
        afterMs: Math.round(story.afterMs),
      });
    case 'taken-over':
      return info('the lease was handed over to this node: renews it, then serves', {
        term: story.term,
      });
    case 'holds-still':
      return error('the role is free, but the pair holds still', { why: story.why });
    case 'paused':
      return warn('paused: no automatic change of roles', { forMs: Math.round(story.forMs) });
    case 'pause-over':
      return info('the pause is over', {});
    case 'disagreement':
      return error('does not take part while it disagrees with a peer', { reason: story.reason });
    case 'asks-for-role':
      return info('this preferred node is ready: asks for the role', {
        readyForMs: Math.round(story.readyForMs),
      });
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
