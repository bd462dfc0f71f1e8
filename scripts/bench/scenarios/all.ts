import { databaseAway } from './database-away.ts';
import { failOverBy } from './fail-over.ts';
import { faults } from './faults.ts';
import type { Scenario } from './scenario.ts';
import { switchOver } from './switch-over.ts';

/** All that the benchmark does to a pair, in the order in which it does it. */
export const scenarios: readonly Scenario[] = [...faults.map(failOverBy), databaseAway, switchOver];
