import type { Measure } from './measure.ts';
import { tenThousandAgents, thousandAgents } from './measures/agents.ts';
import { bulkModule, bulkSimulated } from './measures/bulk.ts';
import { commands } from './measures/commands.ts';
import { floors } from './measures/floors.ts';
import { history } from './measures/history.ts';
import { latency } from './measures/latency.ts';
import { memory } from './measures/memory.ts';
import { single } from './measures/single.ts';
import { graphileWorker } from './rivals/graphile-worker.ts';
import { pgBoss } from './rivals/pg-boss.ts';

/** Everything that can be measured, in its order. */
export const measures: readonly Measure[] = [
  bulkSimulated,
  bulkModule,
  single,
  latency,
  commands,
  graphileWorker,
  pgBoss,
  floors,
  thousandAgents,
  tenThousandAgents,
  history,
  memory,
];
