import { setTimeout as delay } from 'node:timers/promises';
import { findActive, untilServedAbove } from '../pair.ts';
import type { Measure, Scenario } from '../scenarios/scenario.ts';
import { startWork } from '../stage.ts';
import type { HostsFault } from './faults.ts';
import type { HostsStage, Route } from './stage.ts';
import type { Connection } from './users.ts';

/** A second interruption right after the first one counts as well. */
const AFTERMATH_MS = 500;
/** They read what is answered from memory, and do not wait long: what is measured is the way, and not the work. */
const HABITS = { wishes: ['pair'], job: '', timeoutMs: 1_000 } as const;

/** What is measured of each fault, in this order. */
const MEASURED: readonly (readonly [Route['name'], string, Connection])[] = [
  ['vip', 'virtual IP', 'new'],
  ['vip', 'virtual IP', 'kept'],
  ['haproxy', 'HAProxy', 'new'],
  ['haproxy', 'HAProxy', 'kept'],
];

/** Measures how long users of both ways, over both kinds of connections, are without an answer. */
export function failOverOnHosts(fault: HostsFault): Scenario<HostsStage> {
  return {
    name: fault.name,
    title: fault.title,
    isProxied: false,
    measures: MEASURED.map(
      ([route, title, connection]): Measure<HostsStage> => ({
        name: `${route}-${connection}`,
        title: `${fault.title}: ${title}, ${connection} connections`,
        unit: 'ms',
        // What a load balancer adds is not ours to promise.
        most: (stage) =>
          route === 'vip' ? (fault.withinMs ?? stage.promisedMs(fault.failure)) : null,
      }),
    ),
    play: async (stage) => {
      const work = await startWork(stage);
      const users = new Map(
        stage.routes.map((route) => [route.name, stage.startUsers(route, HABITS)]),
      );
      try {
        for (const each of users.values()) await each.warm();
        const victim = await findActive(stage.system);
        for (const each of users.values()) each.begin();
        fault.strike(victim, stage);
        try {
          await untilServedAbove(stage.system, victim.term);
        } finally {
          fault.mend?.(victim, stage);
        }
        await findActive(stage.system);
        await delay(AFTERMATH_MS);
        const values = MEASURED.map(
          ([route, , connection]) => users.get(route)?.longestSilenceMs(connection) ?? Number.NaN,
        );
        return { values, complaints: await work.complaints() };
      } finally {
        for (const each of users.values()) each.stop();
      }
    },
  };
}
