import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AddressStory } from '../address/plan/state.ts';
import type { Interruption } from '../events/interruption.ts';
import type { Story } from '../role/state.ts';
import type { StatusView } from './status.ts';

/** The heartbeat's metrics. Gauges are read from the status when somebody asks; nothing ticks. */
export class HeartbeatMetrics {
  readonly #registry = new Registry();
  readonly #roleChanges: Counter<'to' | 'reason'>;
  readonly #addressChanges: Counter<'change'>;
  readonly #peerRefusals: Counter<'reason'>;
  readonly #interruptions: Histogram<'failure'>;

  constructor(status: () => StatusView) {
    const { pair, node } = status();
    this.#registry.setDefaultLabels({ pair, node });
    this.#gauge('understudy_active', 'Whether this node is active and its controller serves.', () =>
      Number(status().active?.node === node),
    );
    this.#gauge('understudy_ready', 'Whether this passive node could take over now.', () =>
      Number(status().ready),
    );
    this.#gauge(
      'understudy_failsafe',
      'Whether it is active by the consent of its peers alone.',
      () => Number(status().failsafe),
    );
    this.#gauge('understudy_paused', 'Whether automatic changes of roles are paused.', () =>
      Number(status().paused),
    );
    this.#gauge('understudy_term', 'The term of the lease as last seen.', () =>
      Number(status().term ?? 0),
    );
    this.#gauge(
      'understudy_lease_remaining_seconds',
      'Time until the lease runs out, as this node counts it.',
      () => (status().leaseRemainingMs ?? 0) / 1000,
    );
    this.#gauge('understudy_controller_up', 'Whether a controller process runs here.', () =>
      Number(status().controller.pid !== null),
    );
    this.#gauge(
      'understudy_peers_reachable',
      'How many peers answer.',
      () => status().peers.filter((peer) => peer.reachable).length,
    );
    this.#gauge('understudy_vip_held', 'How many virtual addresses this host has.', () => {
      const addresses = status().vip?.addresses ?? [];
      return addresses.filter(({ held }) => held).length;
    });
    this.#gauge(
      'understudy_vip_addresses',
      'How many virtual addresses are configured.',
      () => status().vip?.addresses.length ?? 0,
    );
    this.#gauge('understudy_peers', 'How many peers are configured.', () => status().peers.length);
    this.#gauge(
      'understudy_failover_worst_case_seconds',
      'The promise: longest time without an active after a host is lost.',
      () => status().timings.worstCaseMs / 1000,
    );
    if (status().certificate !== null) {
      this.#gauge(
        'understudy_certificate_expires_seconds',
        'Time until the certificate of this node expires; below 0 it has expired.',
        () => (status().certificate?.expiresInMs ?? 0) / 1000,
      );
      this.#gauge(
        'understudy_authority_expires_seconds',
        'Time until the authority that has signed the certificate expires.',
        () => (status().certificate?.authorityExpiresInMs ?? 0) / 1000,
      );
    }
    this.#byFailure('understudy_promise_seconds', 'The worst case by the settings.', () =>
      status().promise.map(({ failure, worstMs }) => [failure, worstMs]),
    );
    this.#byFailure(
      'understudy_interruption_last_seconds',
      'The last interruption that was measured in the pair.',
      () => status().measured.map(({ failure, last }) => [failure, last.interruptedMs]),
    );
    this.#byFailure(
      'understudy_interruption_worst_seconds',
      'The longest interruption that was measured in the pair.',
      () => status().measured.map(({ failure, worstMs }) => [failure, worstMs]),
    );
    this.#interruptions = new Histogram({
      name: 'understudy_interruption_seconds',
      help: 'How long nobody served before this node did, by kind of failure.',
      labelNames: ['failure'],
      buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 60],
      registers: [this.#registry],
    });
    this.#roleChanges = new Counter({
      name: 'understudy_role_changes_total',
      help: 'Changes of the role of this node, by direction and reason.',
      labelNames: ['to', 'reason'],
      registers: [this.#registry],
    });
    this.#addressChanges = new Counter({
      name: 'understudy_vip_changes_total',
      help: 'What became of the virtual addresses on this host: added, removed, lost, found, failed.',
      labelNames: ['change'],
      registers: [this.#registry],
    });
    this.#peerRefusals = new Counter({
      name: 'understudy_peer_messages_refused_total',
      help: "Messages on the peer link that were not a peer's, or not as agreed; they change nothing.",
      labelNames: ['reason'],
      registers: [this.#registry],
    });
  }

  countAddressChange(story: AddressStory): void {
    this.#addressChanges.inc({ change: story.kind.replace('address-', '') });
  }

  countPeerRefusal(reason: string): void {
    this.#peerRefusals.inc({ reason });
  }

  count(story: Story): void {
    if (story.kind === 'granted') this.#roleChanges.inc({ to: 'active', reason: 'granted' });
    if (story.kind === 'demoting') {
      this.#roleChanges.inc({ to: 'passive', reason: story.why.reason });
    }
  }

  observe({ failure, interruptedMs }: Interruption): void {
    if (interruptedMs === null) return;
    this.#interruptions.observe({ failure: failure ?? 'other' }, interruptedMs / 1000);
  }

  /** In the text format of Prometheus. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  #byFailure(name: string, help: string, read: () => readonly (readonly [string, number])[]): void {
    new Gauge({
      name,
      help,
      labelNames: ['failure'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [failure, ms] of read()) this.set({ failure }, ms / 1000);
      },
    });
  }
}
