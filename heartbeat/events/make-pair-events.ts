import { worstCases } from '@understudy/shared/kernel/promise';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { Log } from '@understudy/shared/runtime/log';
import type { PeerView } from '../peer/client.ts';
import type { RoleOptions } from '../role/state.ts';
import { makePostgresEventStore } from './event-store.ts';
import type { Interruption } from './interruption.ts';
import { PairEvents } from './pair-events.ts';
import { seenPeers, toldByPeers } from './peers.ts';

export interface PairEventsParts {
  readonly config: ControllerHostConfig;
  readonly role: RoleOptions;
  readonly peers: () => readonly PeerView[];
  readonly onInterruption: (interruption: Interruption) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The events of a heartbeat, kept in the database of its pair. */
export function makePairEvents(parts: PairEventsParts): PairEvents {
  const { config, peers } = parts;
  return new PairEvents({
    ...parts,
    promise: worstCases({
      timers: config.timers,
      health: config.controller.health,
      // A wrapped program can't hold: it is ended, which takes as long as it may.
      holdMs:
        config.controller.command.length === 0
          ? config.failover.holdTimeoutMs
          : config.controller.stopTimeoutMs,
    }),
    store: makePostgresEventStore(config),
    peers: () => seenPeers(peers()),
    toldByPeers: () => toldByPeers(peers()),
  });
}
