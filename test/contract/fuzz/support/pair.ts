import type { ExecutionContext } from 'ava';
import { type Cluster, makeCluster, type Settled } from '../../../support/cluster.ts';

/** A real pair that serves, and what must be the same after everything that was sent to it. */
export class FuzzedPair {
  readonly cluster: Cluster;
  readonly before: Settled;

  private constructor(cluster: Cluster, before: Settled) {
    this.cluster = cluster;
    this.before = before;
  }

  static async start(t: ExecutionContext, agents: readonly string[] = []): Promise<FuzzedPair> {
    // Renewals are watched, not raced: a busy machine may be slow to give them their turn.
    const cluster = await makeCluster(t, { agents, host: { failover: { target: '10s' } } });
    const before = await cluster.start();
    await cluster.client.putJob({ name: 'keeper', command: ['true'] });
    return new FuzzedPair(cluster, before);
  }

  get token(): string {
    return this.cluster.facts.token;
  }

  portOf(which: 'active' | 'passive'): number {
    return Number(new URL(this.before[which].options.heartbeatUrl).port);
  }

  get controllerPort(): number {
    return Number(new URL(this.before.active.options.controllerUrl).port);
  }

  /** The same node is active under the same term with the same processes, and takes good requests. */
  async judge(t: ExecutionContext): Promise<void> {
    const after = await this.cluster.settled();
    const { active, activeStatus, passiveStatus } = this.before;
    t.is(after.active.node, active.node);
    t.is(after.activeStatus.term, activeStatus.term);
    t.is(after.activeStatus.controller.pid, activeStatus.controller.pid);
    t.is(after.passiveStatus.controller.pid, passiveStatus.controller.pid);
    t.true(this.cluster.hosts.every(({ heartbeat }) => heartbeat.running));
    await this.cluster.client.request('GET', '/api/v1/jobs/keeper');
    await this.cluster.client.putJob({ name: 'after', command: ['true'] });
  }

  /** A sample of the node's metrics. */
  async metric(which: 'active' | 'passive', name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.portOf(which)}/metrics`);
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }
}
