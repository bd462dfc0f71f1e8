import type { PeerState } from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { Log } from '@understudy/shared/runtime/log';
import type { EventDraft } from '../events/draft.ts';
import type { Peers } from '../peer/client.ts';
import { describeAddress } from './describe.ts';
import { AddressKeeper } from './keeper.ts';
import type { AddressStory } from './plan/state.ts';

export interface KeeperParts {
  readonly config: Pick<ControllerHostConfig, 'vip' | 'timers' | 'controller'>;
  readonly peers: Pick<Peers, 'views' | 'exchangeNow'>;
  readonly onEvent: (event: EventDraft) => void;
  readonly onStory: (story: AddressStory) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The keeper of a heartbeat's addresses, which tells what it does in the log and as events of the pair. */
export function makeAddressKeeper(parts: KeeperParts): AddressKeeper {
  const { config, peers, onEvent, onStory, clock, log } = parts;
  return new AddressKeeper({
    addresses: config.vip,
    port: config.controller.listen.port,
    marginMs: config.timers.marginMs,
    peerHadThemAt: () => lastHeardAt(peers, ({ hasAddress }) => hasAddress),
    askPeers: () => void peers.exchangeNow(),
    peerServedAt: () =>
      lastHeardAt(peers, ({ role, phase }) => role === 'active' && phase === 'serving'),
    onStory: (story) => {
      const { level, event } = describeAddress(story, config.vip);
      log[level](event.message, { evidence: event.evidence });
      onEvent(event);
      onStory(story);
    },
    // One that is under way would tell what was before.
    onGone: () => void peers.exchangeNow().then(() => peers.exchangeNow()),
    clock,
  });
}

/** When one of those was heard last, as it said of itself; null: none said so when it was heard last. */
function lastHeardAt(
  peers: Pick<Peers, 'views'>,
  is: (state: PeerState) => boolean,
): number | null {
  const instants = peers
    .views()
    .flatMap(({ state, heardAt }) =>
      state !== null && heardAt !== null && is(state) ? [heardAt] : [],
    );
  return instants.length === 0 ? null : Math.max(...instants);
}
