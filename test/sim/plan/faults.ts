import { unreachable } from '@understudy/shared/kernel/invariant';
import { countFault } from '../checks/counters.ts';
import type { LinkState } from '../kernel/network.ts';
import type { Node } from '../node/node.ts';
import { STORE } from '../store/link.ts';
import type { World } from '../world.ts';
import { AgentFaults } from './agent-faults.ts';
import {
  type AgentFault,
  agentFaults,
  type FaultKind,
  type NodeFault,
  nodeFaults,
  type StoreFault,
} from './fault-kinds.ts';

const HOUR_MS = 3_600_000;
/** In a calm history the first fault comes when the pair has found itself. */
export const CALM_FROM_MS = 8_000;
/** The longest outage of the store in a calm history. */
const OUTAGE_MS = 8_000;
/** Shorter gaps between the clocks of a host than this are not noticed by the controller's guard. */
const NOTICED_GAP_MS = 260;

/** Lets faults strike, each for a while, until everything is healed. */
export class Faults {
  readonly #world: World;
  /** What undoes the faults that last. */
  readonly #lasting = new Set<() => void>();
  readonly #agentFaults: AgentFaults;
  #isHealed = false;
  /** The store's clock went back, so that a lease may look valid for long. */
  hasStoreClockJumped = false;

  constructor(world: World) {
    this.#world = world;
    this.#agentFaults = new AgentFaults(world, (ms, undo) => this.#undoAfter(ms, undo));
  }

  begin(): void {
    const { engine, dice, knobs } = this.#world;
    if (knobs.isCalm) return engine.after(CALM_FROM_MS, () => this.#strikeCalmly());
    const again = () => {
      if (this.#isHealed) return;
      this.strike(this.#pickTarget());
      engine.after(dice.wait(knobs.faults.everyMs), again);
    };
    engine.after(dice.wait(knobs.faults.everyMs), again);
  }

  /** One at a time, and each only when the pair has got over the one before. */
  #strikeCalmly(): void {
    const { engine, dice, knobs, nodes } = this.#world;
    if (this.#isHealed) return;
    this.strike(dice.pick(nodes));
    const overMs = Math.max(knobs.faults.longestMs, OUTAGE_MS) + 3 * knobs.timers.ttlMs;
    engine.after(overMs + dice.wait(1_000), () => this.#strikeCalmly());
  }

  /** A node changed its phase: perhaps a fault meets it there. */
  ambush(node: Node): void {
    const { dice, knobs, engine } = this.#world;
    if (this.#isHealed || !dice.chance(knobs.faults.ambush)) return;
    const waitMs = dice.chance(0.5) ? 0 : dice.scale(0.1, 50);
    engine.after(waitMs, () => {
      if (!this.#isHealed) this.strike(node);
    });
  }

  strike(node: Node): void {
    const kind = this.#pickKind();
    const { counters, trace, nodes } = this.#world;
    const forMs = this.#duration(kind);
    if (isAgentFault(kind)) return this.#agentFaults.strike(kind, forMs);
    const struck = isNodeFault(kind) ? node : (leaderOf(nodes) ?? node);
    countFault(counters, kind, struck.heartbeat?.state.phase.name ?? 'stopped');
    trace?.('FAULT', `${kind} at ${isNodeFault(kind) ? node.name : 'the store'}, ${forMs} ms`);
    if (isNodeFault(kind)) this.#strikeNode(kind, node, forMs);
    else this.#strikeStore(kind, forMs);
  }

  /** Ends all faults; from now on nothing goes wrong any more. */
  heal(): void {
    this.#isHealed = true;
    this.#world.server.pause(0);
    for (const undo of [...this.#lasting]) undo();
    this.#world.network.heal();
    for (const node of this.#world.nodes) {
      if (node.isOff) node.powerOn();
      else this.#startAgain(node);
    }
    for (const agent of this.#world.agents) agent.start();
  }

  #strikeNode(kind: NodeFault, node: Node, forMs: number): void {
    const { dice } = this.#world;
    const { heartbeat, controller, host } = node;
    switch (kind) {
      case 'pause-heartbeat':
        heartbeat?.process.pause();
        return this.#undoAfter(forMs, () => heartbeat?.process.resume());
      case 'pause-controller':
        controller?.pause();
        this.#watchHealth(node);
        return this.#undoAfter(forMs, () => controller?.resume());
      case 'freeze-host':
        host.freeze(false);
        return this.#undoAfter(forMs, () => this.#thaw(node));
      case 'vm-pause':
        host.freeze(true);
        return this.#undoAfter(Math.max(NOTICED_GAP_MS, forMs), () => {
          this.#thaw(node);
          node.heartbeat?.clocksDisagree();
        });
      case 'hang-controller':
        controller?.hang();
        this.#watchHealth(node);
        return this.#undoAfter(forMs, () => controller?.recover());
      case 'crash-controller':
        return controller?.die('it crashed');
      case 'crash-heartbeat':
        node.crashHeartbeat();
        return this.#undoAfter(this.#downTime(), () => node.startHeartbeat());
      case 'power-loss':
        node.powerOff();
        return this.#undoAfter(Math.max(500, this.#downTime()), () => node.powerOn());
      case 'stop-heartbeat':
        heartbeat?.stop();
        return this.#undoAfter(this.#downTime(), () => this.#startAgain(node));
      case 'wall-clock-jump':
        // One that hides a pause of the machine can't be noticed by anybody.
        if (host.isFrozen) return;
        host.jumpWallClock(dice.chance(0.5) ? jump(dice.next()) : dice.between(-2_000, 2_000));
        return node.heartbeat?.clocksDisagree();
      case 'slow-store':
        return this.#slow(node, [STORE], forMs);
      case 'slow-peers': {
        const peers = this.#world.nodes.filter((each) => each !== node);
        return this.#slow(
          node,
          peers.map(({ place }) => place),
          forMs,
        );
      }
      case 'switch-over':
        return this.#switchOver(node);
      case 'force':
        return this.#force();
      default:
        return this.#cut(kind, node, forMs);
    }
  }

  #cut(kind: NodeFault, node: Node, forMs: number): void {
    const { nodes, dice } = this.#world;
    const peers = nodes.filter((each) => each !== node);
    const { place } = node;
    switch (kind) {
      case 'cut-store':
        return this.#setLinks(
          [
            [place, STORE],
            [STORE, place],
          ],
          'cut',
          forMs,
        );
      case 'cut-store-requests':
        return this.#setLinks([[place, STORE]], 'cut', forMs);
      case 'cut-store-answers':
        return this.#setLinks([[STORE, place]], 'cut', forMs);
      case 'reject-store':
        return this.#setLinks([[place, STORE]], 'reject', forMs);
      case 'cut-peers':
        return this.#setLinks(
          peers.flatMap((peer) => bothWays(place, peer.place)),
          'cut',
          forMs,
        );
      case 'cut-peers-one-way': {
        const out = dice.chance(0.5);
        const links = peers.map(
          (peer) => (out ? [place, peer.place] : [peer.place, place]) as Pair,
        );
        return this.#setLinks(links, 'cut', forMs);
      }
      case 'reject-peers':
        return this.#setLinks(
          peers.map((peer) => [peer.place, place] as const),
          'reject',
          forMs,
        );
      case 'isolate': {
        const others = [STORE, ...peers.map((peer) => peer.place)];
        return this.#setLinks(
          others.flatMap((other) => bothWays(place, other)),
          'cut',
          forMs,
        );
      }
      case 'pause-heartbeat':
      case 'pause-controller':
      case 'freeze-host':
      case 'vm-pause':
      case 'hang-controller':
      case 'crash-controller':
      case 'crash-heartbeat':
      case 'power-loss':
      case 'stop-heartbeat':
      case 'wall-clock-jump':
      case 'slow-store':
      case 'slow-peers':
      case 'switch-over':
      case 'force':
        return;
      default:
        return unreachable(kind);
    }
  }

  #strikeStore(kind: StoreFault, forMs: number): void {
    const { server, dice, nodes } = this.#world;
    switch (kind) {
      case 'store-disk-stall':
        server.stall('disk');
        return this.#undoAfter(forMs, () => server.goOn());
      case 'store-freeze':
        server.stall('all');
        return this.#undoAfter(forMs, () => server.goOn());
      case 'store-crash':
        server.crash();
        return this.#undoAfter(forMs, () => server.start());
      case 'store-clock-jump':
        this.hasStoreClockJumped = true;
        return server.jumpClock(dice.chance(0.5) ? jump(dice.next()) : dice.between(-3_000, 3_000));
      case 'store-fail-over': {
        const released = dice.chance(0.4) ? server.lagToReleased : null;
        const lagMs = released ?? (dice.chance(0.3) ? 0 : dice.scale(1, 10_000));
        this.hasStoreClockJumped = true;
        return server.failOver(lagMs, dice.chance(0.7) ? 0 : dice.between(-2_000, 2_000));
      }
      case 'pause-pair':
        return server.pause(forMs);
      case 'store-unreachable':
        return this.#setLinks(
          nodes.flatMap(({ place }) => bothWays(place, STORE)),
          'cut',
          forMs,
        );
      default:
        return unreachable(kind);
    }
  }

  /** What the heartbeat's checks find of a controller that does not answer any more. */
  #watchHealth(node: Node): void {
    const { heartbeat, controller } = node;
    const { everyMs, timeoutMs, failures } = this.#world.knobs.health;
    if (heartbeat === null || controller === null) return;
    const afterMs = this.#world.dice.between(0, everyMs) + timeoutMs * failures;
    heartbeat.process.timer(heartbeat.nowMs() + afterMs, () => {
      if (node.controller !== controller || !controller.process.isPaused) return;
      heartbeat.dispatch({ kind: 'controller-unhealthy', detail: 'it does not answer' });
      this.#watchHealth(node);
    });
  }

  #thaw(node: Node): void {
    node.host.thaw();
    for (const controller of node.controllers) this.#world.audit.acts(controller);
  }

  /** A service manager starts a heartbeat that was stopped, once it has ended. */
  #startAgain(node: Node): void {
    if (node.heartbeat === null) return node.startHeartbeat();
    if (!node.heartbeat.isAskedToStop) return;
    this.#world.engine.after(100, () => this.#startAgain(node));
  }

  /** An operator wants the role to be somewhere else. */
  #switchOver(node: Node): void {
    const { nodes, dice } = this.#world;
    const active = leaderOf(nodes) ?? node;
    const others = nodes.filter((each) => each !== active);
    active.heartbeat?.process.take(() => active.heartbeat?.switchOver(dice.pick(others)));
  }

  /** An operator does not wait for the active, and says so to another node. */
  #force(): void {
    const { nodes, dice } = this.#world;
    const { heartbeat } = dice.pick(nodes.filter((each) => each !== leaderOf(nodes)));
    heartbeat?.process.take(() => heartbeat.takeByForce());
  }

  #slow({ place }: Node, others: readonly number[], forMs: number): void {
    const { network, dice, knobs } = this.#world;
    const ms = knobs.timers.callTimeoutMs * dice.between(0.2, knobs.isCalm ? 0.5 : 1.5);
    const [there, back] = dice.pick([
      [1, 0],
      [0, 1],
      [0.5, 0.5],
    ] as const);
    for (const other of others) {
      network.slow(place, other, there * ms);
      network.slow(other, place, back * ms);
    }
    this.#undoAfter(forMs, () => {
      for (const other of others) {
        network.slow(place, other, 0);
        network.slow(other, place, 0);
      }
    });
  }

  #setLinks(links: readonly Pair[], state: LinkState, forMs: number): void {
    const { network } = this.#world;
    for (const [from, to] of links) network.set(from, to, state);
    this.#undoAfter(forMs, () => {
      for (const [from, to] of links) network.set(from, to, 'open');
    });
  }

  #undoAfter(ms: number, undo: () => void): void {
    const once = () => {
      if (this.#lasting.delete(once)) undo();
    };
    this.#lasting.add(once);
    this.#world.engine.after(ms, once);
  }

  #duration(kind: FaultKind): number {
    const { dice, knobs } = this.#world;
    // Both can wait for a store that is away from both: failsafe.
    if (knobs.isCalm && !isNodeFault(kind)) return Math.round(dice.scale(5, OUTAGE_MS));
    return Math.round(dice.scale(5, knobs.faults.longestMs));
  }

  #downTime(): number {
    const { dice } = this.#world;
    return dice.chance(0.4) ? dice.scale(1, 100) : dice.scale(100, 15_000);
  }

  #pickKind(): FaultKind {
    const { dice, knobs } = this.#world;
    const { kinds } = knobs.faults;
    let total = 0;
    for (const [, weight] of kinds) total += weight;
    let left = dice.next() * total;
    for (const [kind, weight] of kinds) {
      left -= weight;
      if (left < 0) return kind;
    }
    return dice.pick(kinds)[0];
  }

  #pickTarget(): Node {
    const { dice, knobs, nodes } = this.#world;
    const leader = leaderOf(nodes);
    return leader !== null && dice.chance(knobs.faults.onLeader) ? leader : dice.pick(nodes);
  }
}

type Pair = readonly [from: number, to: number];

function bothWays(a: number, b: number): Pair[] {
  return [
    [a, b],
    [b, a],
  ];
}

function jump(drawn: number): number {
  return drawn < 0.5 ? -HOUR_MS : HOUR_MS;
}

function isAgentFault(kind: FaultKind): kind is AgentFault {
  return (agentFaults as readonly FaultKind[]).includes(kind);
}

function isNodeFault(kind: FaultKind): kind is NodeFault {
  return (nodeFaults as readonly FaultKind[]).includes(kind);
}

/** The node that holds the lease, or is nearest to it. */
export function leaderOf(nodes: readonly Node[]): Node | null {
  const phases = ['serving', 'promoting', 'draining', 'fencing', 'claiming'];
  for (const phase of phases) {
    const found = nodes.find((node) => node.heartbeat?.state.phase.name === phase);
    if (found !== undefined) return found;
  }
  return null;
}
