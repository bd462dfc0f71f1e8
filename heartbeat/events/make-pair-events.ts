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

/** D: how long a controller may take to finish what is under way before a switch-over is called off. */
const HOLD_MS = 400;

/** The events of a heartbeat, kept in the database of its pair. */
export function makePairEvents(parts: PairEventsParts): PairEvents {
  const { config, peers } = parts;
  return new PairEvents({
    ...parts,
    promise: worstCases({
      timers: config.timers,
      health: config.controller.health,
      holdMs: HOLD_MS,
    }),
    store: makePostgresEventStore(config),
    peers: () => seenPeers(peers()),
    toldByPeers: () => toldByPeers(peers()),
  });
}
