import { setTimeout as delay } from 'node:timers/promises';
import { findActive, untilServedAbove } from '../pair.ts';
import { startWork } from '../stage.ts';
import type { Fault } from './faults.ts';
import type { Scenario } from './scenario.ts';

/** A second interruption right after the first one counts as well. */
const AFTERMATH_MS = 500;

/** Measures how long users are without an answer when a fault hits the active host. */
export function failOverBy(fault: Fault): Scenario {
  return {
    name: fault.name,
    title: fault.title,
    isProxied: fault.isProxied ?? false,
    measures: [
      {
        name: 'interruption',
        title: fault.title,
        unit: 'ms',
        most: (stage) => stage.promisedMs(fault.failure),
      },
    ],
    play: async (stage) => {
      const work = await startWork(stage);
      const victim = await findActive(stage.system);
      const prober = stage.startProber();
      try {
        await prober.warm();
        prober.begin();
        fault.strike(victim, stage);
        try {
          await untilServedAbove(stage.system, victim.term);
        } finally {
          fault.mend?.(victim, stage);
        }
        await findActive(stage.system);
        await delay(AFTERMATH_MS);
        return {
          values: [prober.longestSilenceMs()],
          complaints: await work.complaints(),
        };
      } finally {
        prober.stop();
      }
    },
  };
}
