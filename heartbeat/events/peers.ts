import { formatTerm } from '@understudy/shared/kernel/term';
import type { PeerStateWire } from '@understudy/shared/protocol/peer';
import { NOT_ASKED, type PeerView } from '../peer/client.ts';
import type { SeenPeer } from './doubts.ts';
import type { LastService } from './interruption.ts';

/** The peers that were asked since the start, and whether they answer. */
export function seenPeers(views: readonly PeerView[]): readonly SeenPeer[] {
  return views
    .filter(({ error }) => error !== NOT_ASKED)
    .map(({ url, state, error }) => ({ url, node: state?.node ?? null, error }));
}

/**
 * When peers last ceased to serve, on our own clock. What they say is counted from when it was heard, so
 * its way over the network is missing.
 */
export function toldByPeers(views: readonly PeerView[]): readonly LastService[] {
  return views.flatMap(({ state, heardAt }) => {
    if (state === null || state.lastServed === null || heardAt === null) return [];
    const { term, agoMs, how, reason } = state.lastServed;
    return [{ node: state.node, term, at: heardAt - agoMs, how, reason }];
  });
}

/** The end of our own last service, as it is told to peers. */
export function lastServedWire(
  ended: LastService | null,
  now: number,
): NonNullable<PeerStateWire['lastServed']> | null {
  if (ended === null) return null;
  const { term, at, how, reason } = ended;
  return { term: formatTerm(term), agoMs: Math.max(0, now - at), how, reason };
}
