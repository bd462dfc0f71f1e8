import type { PairView } from '@understudy/shared/protocol/api';
import { Gauge, Registry } from 'prom-client';

/** The controller's metrics, read when somebody asks: nothing ticks for them. */
export function makeMetrics(pair: () => PairView): Registry {
  const registry = new Registry();
  const { pair: name, node } = pair();
  registry.setDefaultLabels({ pair: name, node });
  const registers = [registry];
  new Gauge({
    name: 'understudy_controller_term',
    help: 'The term under which this controller serves.',
    registers,
    collect() {
      this.set(Number(pair().term));
    },
  });
  new Gauge({
    name: 'understudy_store_connected',
    help: 'Whether changes can be committed.',
    registers,
    collect() {
      this.set(Number(pair().store === 'connected'));
    },
  });
  new Gauge({
    name: 'understudy_runs_open',
    help: 'Runs that are not over, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(pair().runs)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'understudy_agents',
    help: 'Agents, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(pair().agents)) this.set({ state }, count);
    },
  });
  return registry;
}
