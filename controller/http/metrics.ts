import { Counter, Gauge, Registry } from 'prom-client';
import { pairView } from './pair-routes.ts';
import type { HttpParts } from './parts.ts';

/** The controller's metrics. Gauges are read when somebody asks; nothing ticks. */
export class ControllerMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'method' | 'status'>;
  readonly #events: Counter<'kind'>;

  constructor(parts: HttpParts) {
    const { context, state } = parts;
    this.#registry.setDefaultLabels({ pair: context.pair, node: context.node });
    const registers = [this.#registry];
    const view = () => pairView(parts);
    this.#gauge('understudy_controller_term', 'The term under which this controller serves.', () =>
      Number(context.term),
    );
    this.#gauge('understudy_store_away', 'Whether the database takes no changes.', () =>
      Number(context.committer.isAway),
    );
    this.#gauge(
      'understudy_commits_pending',
      'Changes that wait to be committed.',
      () => context.committer.pending,
    );
    this.#gaugeByState('understudy_runs_open', 'Runs that are not over.', () => view().runs);
    this.#gaugeByState('understudy_agents', 'Agents.', () => view().agents);
    this.#requests = new Counter({
      name: 'understudy_http_requests_total',
      help: 'Requests that were answered.',
      labelNames: ['method', 'status'],
      registers,
    });
    this.#events = new Counter({
      name: 'understudy_events_total',
      help: 'Events of the work plane, by kind.',
      labelNames: ['kind'],
      registers,
    });
    state.onEvents((events) => {
      for (const { kind } of events) this.#events.inc({ kind });
    });
  }

  countRequest(method: string, status: number): void {
    this.#requests.inc({ method, status });
  }

  /** In the text format of Prometheus. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #gauge(name: string, help: string, read: () => number): void {
    const collect = function (this: Gauge): void {
      this.set(read());
    };
    new Gauge({ name, help, registers: [this.#registry], collect });
  }

  #gaugeByState(name: string, help: string, read: () => Readonly<Record<string, number>>): void {
    const collect = function (this: Gauge<'state'>): void {
      for (const [state, count] of Object.entries(read())) this.set({ state }, count);
    };
    new Gauge({ name, help, labelNames: ['state'], registers: [this.#registry], collect });
  }
}
