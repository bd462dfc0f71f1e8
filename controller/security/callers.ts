import { timingSafeEqual } from 'node:crypto';
import { type Caller, PAIR_CALLER } from './roles.ts';
import { hashOf, type TokenBook } from './tokens.ts';

/** Knows who presents a token. Asked for each request, so it answers from memory. */
export interface Callers {
  /** Null: the token is not valid here. */
  identify(token: string): Caller | null;
}

/** The pair's own token is what nodes, agents and the first admin present. */
const PAIR: Caller = {
  ...{ name: PAIR_CALLER, roles: ['admin', 'agent'], agent: null, over: null },
};

/** Whoever presents the pair's own token, or one that was made. */
export function makeCallers(pairToken: string, tokens: Pick<TokenBook, 'callerOf'>): Callers {
  const expected = Buffer.from(hashOf(pairToken));
  return {
    identify: (token) => {
      // Of any two tokens the hashes are as long: comparing tells neither where they differ nor in what length.
      const hash = hashOf(token);
      return timingSafeEqual(expected, Buffer.from(hash)) ? PAIR : tokens.callerOf(hash);
    },
  };
}
