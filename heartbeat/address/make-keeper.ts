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
  const answering = () =>
    peers.views().flatMap(({ state, error }) => (error === null && state !== null ? [state] : []));
  return new AddressKeeper({
    addresses: config.vip,
    port: config.controller.listen.port,
    marginMs: config.timers.marginMs,
    peerHasThem: () => answering().some(({ hasAddress }) => hasAddress),
    peerServes: () =>
      answering().some(({ role, phase }) => role === 'active' && phase === 'serving'),
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
