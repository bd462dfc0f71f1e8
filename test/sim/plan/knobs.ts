import type { RoleOptions } from '@understudy/heartbeat/role/state';
import { deriveTimers, type Timers } from '@understudy/shared/kernel/timers';
import type { Dice } from '../kernel/dice.ts';
import type { HostClocks } from '../kernel/host.ts';
import type { NetworkKnobs } from '../kernel/network.ts';
import { agentFaults, type FaultKind, faultKinds, toleratedFaults } from './fault-kinds.ts';

/** Everything that one seed decides before its history begins. */
export interface Knobs {
  readonly seed: number;
  /** The ids of the nodes; two hosts may have the same one by mistake. */
  readonly nodes: readonly string[];
  readonly targetMs: number;
  readonly timers: Timers;
  readonly role: Omit<RoleOptions, 'self'>;
  /** The controller is a program that knows nothing of terms: it answers until its guard has killed it. */
  readonly isWrapped: boolean;
  /** Only faults that the pair must bear without a change of roles (I16). */
  readonly isCalm: boolean;
  /** So long do faults strike; then everything is healed. */
  readonly troubledMs: number;
  readonly hosts: readonly HostClocks[];
  readonly store: { readonly rate: number; readonly clockMs: number };
  readonly network: NetworkKnobs;
  /** How late a timer may run. */
  readonly lagMs: number;
  /** The longest time between a look at the tenure and the act. */
  readonly actLagMs: number;
  /** The longest time that killing a controller takes. */
  readonly killMs: number;
  /** The longest time until the kernel ends a controller whose heartbeat ended. */
  readonly tieMs: number;
  readonly heartbeatStartMs: number;
  readonly controllerStartMs: number;
  readonly serveMs: number;
  readonly requestEveryMs: number;
  /** After so long does the first node, being preferred, ask for the role; null: it is not preferred. */
  readonly failbackMs: number | null;
  readonly health: {
    readonly everyMs: number;
    readonly timeoutMs: number;
    readonly failures: number;
  };
  /** The work plane; no agents in most histories. */
  readonly work: {
    readonly agents: number;
    readonly everyMs: number;
    readonly limit: number;
    readonly beatEveryMs: number;
    readonly lostAfterMs: number;
    readonly diskMs: number;
    readonly longestRunMs: number;
  };
  readonly faults: {
    /** One fault in so many milliseconds, on average. */
    readonly everyMs: number;
    /** Those that this history knows, each with its weight. */
    readonly kinds: readonly (readonly [kind: FaultKind, weight: number])[];
    /** How often a change of phase is met by a fault at once. */
    readonly ambush: number;
    /** How often a fault strikes the node that leads. */
    readonly onLeader: number;
    readonly longestMs: number;
  };
}

/** A week from the beginning of 2030. */
const STORE_CLOCK_MS = 1_893_456_000_000;

/** Draws the knobs of a seed. `dice` goes on to decide the history itself. */
export function drawKnobs(seed: number, dice: Dice): Knobs {
  const knobs = drawRough(seed, dice);
  if (dice.chance(0.08)) return calm(knobs);
  return dice.chance(0.08) ? wrapped(knobs) : knobs;
}

/** What stops a program stops its guard as well, which then comes too late by nature. */
const stopsGuard: readonly FaultKind[] = ['pause-controller', 'freeze-host', 'vm-pause'];

/** The same pair, with a wrapped program for a controller. */
export function wrapped(knobs: Knobs): Knobs {
  const kinds = knobs.faults.kinds.filter(([kind]) => !stopsGuard.includes(kind));
  return {
    ...knobs,
    isWrapped: true,
    work: { ...knobs.work, agents: 0 },
    role: { ...knobs.role, canHold: false },
    faults: {
      ...knobs.faults,
      kinds: [...kinds.filter(([kind]) => !kind.includes('agent')), ['isolate', 1]],
    },
  };
}

/** The same pair, with nothing but what it must bear. */
export function calm(knobs: Knobs): Knobs {
  const { ttlMs, marginMs, renewEveryMs, callTimeoutMs } = knobs.timers;
  const baseMs = Math.min(knobs.network.baseMs, callTimeoutMs / 10);
  return {
    ...knobs,
    isCalm: true,
    nodes: ['a', 'b'],
    failbackMs: null,
    lagMs: 1,
    network: { ...knobs.network, baseMs, jitterMs: baseMs, tailChance: 0, lossChance: 0 },
    faults: {
      ...knobs.faults,
      kinds: toleratedFaults.map((kind) => [kind, 1] as const),
      ambush: 0,
      // What is left of trust when a renewal was due, failed once, and is tried again; and less than it
      // takes for a controller to be judged.
      longestMs: Math.min(
        1_000,
        Math.max(10, ttlMs - marginMs - renewEveryMs - 2 * callTimeoutMs - 50),
      ),
    },
  };
}

function drawRough(seed: number, dice: Dice): Knobs {
  const timers = drawTimers(dice);
  const { targetMs } = timers;
  const work = drawWork(dice);
  const lagMs = dice.chance(0.5) ? 1 : dice.scale(1, 20);
  const baseMs = dice.scale(0.1, 5);
  const isRough = dice.chance(0.4);
  return {
    seed,
    nodes: drawNodes(dice),
    targetMs,
    timers: timers.timers,
    role: roleOptions(timers.timers, dice.chance(0.1) ? 'cold' : 'warm'),
    isWrapped: false,
    isCalm: false,
    troubledMs: dice.between(30_000, 60_000),
    hosts: Array.from({ length: 6 }, () => drawClocks(timers.timers, dice)),
    store: { rate: drawRate(timers.timers, dice), clockMs: STORE_CLOCK_MS },
    network: {
      baseMs,
      jitterMs: baseMs * dice.between(0, 2),
      tailChance: isRough ? dice.scale(0.001, 0.05) : 0,
      tailMs: dice.scale(10, 3_000),
      lossChance: isRough && dice.chance(0.5) ? dice.scale(0.001, 0.05) : 0,
      lateChance: dice.between(0, 0.6),
    },
    lagMs,
    actLagMs: dice.chance(0.5) ? 1 : dice.between(1, 45),
    killMs: dice.chance(0.7) ? 5 : timers.timers.killWithinMs * 0.9,
    tieMs: dice.chance(0.7) ? 1 : timers.timers.killWithinMs * 0.9,
    heartbeatStartMs: dice.scale(50, 1_000),
    controllerStartMs: dice.scale(30, 1_000),
    serveMs: dice.scale(2, timers.timers.activateWithinMs / 2),
    failbackMs: dice.chance(0.1) ? dice.scale(1_000, 10_000) : null,
    requestEveryMs: dice.scale(250, 2_500),
    health: { everyMs: 250, timeoutMs: 500, failures: 3 },
    faults: drawFaults(timers.timers, work.agents > 0, dice),
    work,
  };
}

/** An agent that gave up has ended what runs before a controller calls it lost. */
function drawWork(dice: Dice): Knobs['work'] {
  const everyMs = dice.scale(200, 800);
  const limit = 4 + dice.below(8);
  const beatEveryMs = dice.scale(500, 1_500);
  return {
    agents: dice.chance(0.3) ? 1 + dice.below(3) : 0,
    ...{ everyMs, limit, beatEveryMs },
    lostAfterMs: 1.1 * (3 * beatEveryMs + limit * (everyMs + 1_000)) + 5_000,
    diskMs: dice.scale(0.2, 30),
    longestRunMs: dice.scale(50, 5_000),
  };
}

function drawNodes(dice: Dice): readonly string[] {
  if (dice.chance(0.03)) return ['a', 'b', 'a'];
  return dice.chance(0.15) ? ['a', 'b', 'c'] : ['a', 'b'];
}

function drawTimers(dice: Dice): { targetMs: number; timers: Timers } {
  const targetMs = Math.round(dice.chance(0.3) ? 2_000 : dice.scale(1_000, 12_000));
  const derived = deriveTimers(targetMs);
  if (derived.kind === 'safe') return { targetMs, timers: derived.timers };
  return { targetMs: 2_000, timers: deriveTimers(2_000).timers };
}

/** As the heartbeat makes them from its configuration. */
function roleOptions(timers: Timers, standby: 'warm' | 'cold'): Omit<RoleOptions, 'self'> {
  return {
    ttlMs: timers.ttlMs,
    renewEveryMs: timers.renewEveryMs,
    callTimeoutMs: timers.callTimeoutMs,
    marginMs: timers.marginMs,
    pollEveryMs: timers.pollEveryMs,
    clockRateBound: timers.clockRateBound,
    serveWithinMs: Math.max(5_000, 4 * timers.activateWithinMs),
    drainMs: 5_000,
    standby,
    peers: [],
    mode: 'automatic',
    failbackMs: null,
    canHold: true,
    holdMs: 400,
    serveHandedOverWithinMs: 4 * timers.activateWithinMs,
    forwardMs: 5_000,
    limit: { claims: 1_000_000, windowMs: 300_000 },
  };
}

function drawClocks(timers: Timers, dice: Dice): HostClocks {
  return {
    rate: drawRate(timers, dice),
    monotonicMs: dice.scale(1_000, 1e7),
    wallMs: STORE_CLOCK_MS + dice.between(-1e7, 1e7),
  };
}

/** Any two clocks differ by less than rho; the ends are likelier than the middle. */
function drawRate({ clockRateBound }: Timers, dice: Dice): number {
  const reach = Math.sqrt(1 + clockRateBound);
  if (dice.chance(0.3)) return dice.chance(0.5) ? reach : 1 / reach;
  return dice.between(1 / reach, reach);
}

function drawFaults(timers: Timers, hasAgents: boolean, dice: Dice): Knobs['faults'] {
  // Each history knows a part of the faults only, so that some meet often.
  const share = dice.pick([0.15, 0.3, 0.6]);
  const known = hasAgents ? [...faultKinds, ...agentFaults] : faultKinds;
  const drawn = known.filter(() => dice.chance(share));
  const kinds = drawn.length > 0 ? drawn : [dice.pick(faultKinds)];
  return {
    everyMs: dice.scale(700, 12_000),
    kinds: kinds.map((kind) => [kind, dice.scale(0.2, 2)] as const),
    ambush: dice.chance(0.4) ? dice.between(0.02, 0.4) : 0,
    onLeader: dice.between(0.3, 0.9),
    longestMs: dice.chance(0.3) ? timers.ttlMs : 4 * timers.ttlMs,
  };
}
