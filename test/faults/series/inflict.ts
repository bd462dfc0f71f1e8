import { faultLasts } from '../../support/cluster/eventually.ts';
import { childrenOf, signal } from '../../support/cluster/proc.ts';
import type { Cluster } from '../../support/cluster.ts';
import type { FaultKind, PlannedFault } from './plan.ts';

/** Lets a fault happen, last and end. Faults may overlap: what another one has ended already is left. */
export async function inflict(cluster: Cluster, fault: PlannedFault): Promise<void> {
  await acts[fault.kind](cluster, fault.target, () => faultLasts(fault.lastsMs));
}

type Act = (cluster: Cluster, target: string, last: () => Promise<void>) => Promise<void>;

/** The last thing that befalls the server process of a cluster's database. */
const underWay = new WeakMap<Cluster, Promise<void>>();

const acts: Readonly<Record<FaultKind, Act>> = {
  'kill-controller': async (cluster, node) => {
    signalController(await controllerOf(cluster, node), 'SIGKILL');
  },
  'freeze-controller': async (cluster, node, last) => {
    const pid = await controllerOf(cluster, node);
    signalController(pid, 'SIGSTOP');
    await last();
    signalController(pid, 'SIGCONT');
  },
  'kill-heartbeat': async (cluster, node, last) => {
    cluster.host(node).heartbeat.signal('SIGKILL');
    await restart(cluster, node, last);
  },
  'stop-heartbeat': async (cluster, node, last) => {
    cluster.host(node).heartbeat.signal('SIGTERM');
    await restart(cluster, node, last);
  },
  'freeze-heartbeat': async (cluster, node, last) => {
    const { heartbeat } = cluster.host(node);
    heartbeat.signal('SIGSTOP');
    await last();
    heartbeat.signal('SIGCONT');
  },
  'freeze-host': async (cluster, node, last) => {
    const { heartbeat } = cluster.host(node);
    const pid = await controllerOf(cluster, node);
    for (const what of ['SIGSTOP', 'SIGCONT'] as const) {
      heartbeat.signal(what);
      signalController(pid, what);
      if (what === 'SIGSTOP') await last();
    }
  },
  'kill-host': async (cluster, node, last) => {
    const pid = await controllerOf(cluster, node);
    cluster.host(node).heartbeat.signal('SIGSTOP');
    signalController(pid, 'SIGKILL');
    cluster.host(node).heartbeat.signal('SIGKILL');
    await restart(cluster, node, last);
  },
  'database-dark': (cluster, node, last) => onLink(cluster, node, last, { cut: ['up', 'down'] }),
  'database-refuses': (cluster, node, last) => onLink(cluster, node, last, { refuses: true }),
  'database-slow': (cluster, node, last) =>
    onLink(cluster, node, last, { delayMs: 100, jitterMs: 300 }),
  'database-lossy': (cluster, node, last) =>
    onLink(cluster, node, last, { stallChance: 0.2, stallMs: 250 }),
  'peer-dark': async (cluster, _node, last) => {
    for (const link of cluster.links.peers) link.blackhole();
    await last();
    for (const link of cluster.links.peers) link.heal();
  },
  isolate: async (cluster, name, last) => {
    for (const link of cluster.links.of(name)) link.blackhole();
    await last();
    for (const link of cluster.links.of(name)) link.heal();
  },
  'agent-dark': (cluster, name, last) => acts.isolate(cluster, name, last),
  'kill-agent': async (cluster, name, last) => {
    await cluster.agent(name).kill();
    await last();
    startAgent(cluster, name);
  },
  'stop-agent': async (cluster, name, last) => {
    const { program } = cluster.agent(name);
    program.signal('SIGTERM');
    await last();
    await program.ended;
    startAgent(cluster, name);
  },
  'freeze-agent': async (cluster, name, last) => {
    const { program } = cluster.agent(name);
    const frozen = [program.pid, ...childrenOf(program.pid)];
    for (const pid of frozen) signal(pid, 'SIGSTOP');
    await last();
    for (const pid of frozen) signal(pid, 'SIGCONT');
  },
  'restart-database': inTurn(async (cluster) => {
    await cluster.postgres.restart();
  }),
  'kill-database': inTurn(async (cluster, _target, last) => {
    await cluster.postgres.kill();
    await last();
    await cluster.postgres.restart();
  }),
  'freeze-database': inTurn(async (cluster, _target, last) => {
    const { pid } = cluster.postgres;
    if (pid === null) return;
    const frozen = [pid, ...childrenOf(pid)];
    for (const each of frozen) signal(each, 'SIGSTOP');
    await last();
    for (const each of frozen) signal(each, 'SIGCONT');
  }),
};

/**
 * There is one server process: what befalls it next waits until this is over, because one that is being
 * started can't be started, and takes longer for it on a busy machine than the time between two faults.
 */
function inTurn(act: Act): Act {
  return async (cluster, target, last) => {
    const before = underWay.get(cluster) ?? Promise.resolve();
    const present = before.then(() => act(cluster, target, last));
    underWay.set(
      cluster,
      present.catch(() => undefined),
    );
    await present;
  };
}

type Conduct = Parameters<ReturnType<Cluster['links']['database']>['set']>[0];

async function onLink(
  cluster: Cluster,
  node: string,
  last: () => Promise<void>,
  conduct: Conduct,
): Promise<void> {
  const link = cluster.links.database(node);
  link.set(conduct);
  await last();
  link.heal();
}

/** Null when there is none at this moment. */
async function controllerOf(cluster: Cluster, node: string): Promise<number | null> {
  return (await cluster.host(node).status())?.controller.pid ?? null;
}

function signalController(pid: number | null, name: NodeJS.Signals): void {
  if (pid !== null) signal(pid, name);
}

/** A frozen heartbeat does not end before it thaws. */
async function restart(cluster: Cluster, node: string, last: () => Promise<void>): Promise<void> {
  const host = cluster.host(node);
  await Promise.all([host.heartbeat.ended, last()]);
  // Another fault of this host, that began later, may be over already: a second start would be one of a
  // second heartbeat, which is refused, and of the first one nobody would know any more.
  if (!host.heartbeat.running) host.start();
}

function startAgent(cluster: Cluster, name: string): void {
  const agent = cluster.agent(name);
  if (!agent.program.running) agent.start();
}
