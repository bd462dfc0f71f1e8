import type { Scenario } from '../scenarios/scenario.ts';
import { failOverOnHosts } from './fail-over.ts';
import { hostsFaults } from './faults.ts';
import type { HostsStage } from './stage.ts';
import { switchOverOnHosts } from './switch-over.ts';

/** All that the benchmark does to a pair on hosts of their own, in the order in which it does it. */
export const hostsScenarios: readonly Scenario<HostsStage>[] = [
  ...hostsFaults.map(failOverOnHosts),
  switchOverOnHosts,
];
