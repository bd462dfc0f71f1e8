import { InvariantError } from '@understudy/shared/kernel/invariant';
import { Audit, type Violation } from './checks/audit.ts';
import { type Counters, emptyCounters } from './checks/counters.ts';
import { Dice } from './kernel/dice.ts';
import { Engine } from './kernel/engine.ts';
import { Host } from './kernel/host.ts';
import { Network } from './kernel/network.ts';
import { Node } from './node/node.ts';
import { Faults } from './plan/faults.ts';
import { drawKnobs, type Knobs } from './plan/knobs.ts';
import { type Rules, soundRules } from './plan/rules.ts';
import { STORE } from './store/link.ts';
import { StoreServer } from './store/server.ts';
import { SimAgent } from './work/agent.ts';
import type { World } from './world.ts';

export interface HistoryOptions {
  readonly rules?: Rules;
  /** Makes what a seed drew likelier to meet something. */
  readonly shape?: (knobs: Knobs, dice: Dice) => Knobs;
  readonly counters?: Counters;
  /** Takes the story, line by line. */
  readonly onLine?: (line: string) => void;
}

export interface History {
  readonly seed: number;
  readonly violation: Violation | null;
  /** How long after the end of all faults something was committed for a user. */
  readonly recoveredAfterMs: number | null;
}

/** Plays one history: first whatever the seed holds in store, then everything is healed. */
export function playHistory(seed: number, options: HistoryOptions = {}): History {
  const dice = new Dice(seed);
  const drawn = drawKnobs(seed, dice);
  const knobs = options.shape?.(drawn, dice) ?? drawn;
  const { world, faults } = makeWorld(knobs, dice, options);
  const { engine, audit, counters } = world;
  counters.histories += 1;
  let recoveredAfterMs: number | null = null;
  try {
    for (const node of world.nodes) {
      engine.after(dice.between(0, 300), () => node.startHeartbeat());
    }
    for (const agent of world.agents) agent.start();
    users(world);
    faults.begin();
    engine.runUntil(knobs.troubledMs, () => audit.violation !== null);
    if (audit.violation === null) recoveredAfterMs = recover(world, faults);
  } catch (error) {
    if (!(error instanceof InvariantError)) throw error;
    audit.breach('invariant', error.message);
  }
  counters.simulatedMs += engine.now;
  return { seed, violation: audit.violation, recoveredAfterMs };
}

function makeWorld(
  knobs: Knobs,
  dice: Dice,
  { rules = soundRules, counters = emptyCounters(), onLine }: HistoryOptions,
): { world: World; faults: Faults } {
  const engine = new Engine();
  const network = new Network(
    engine,
    dice,
    knobs.network,
    knobs.nodes.length + 1 + knobs.work.agents,
  );
  const audit = new Audit(() => world);
  const nodes: Node[] = [];
  const agents: SimAgent[] = [];
  const ids = { next: 0 };
  const server = new StoreServer({
    engine,
    rate: knobs.store.rate,
    clockMs: knobs.store.clockMs,
    rules: rules.store,
    witness: audit,
    onHint: () => hint(world),
    replicates: knobs.faults.kinds.some(([kind]) => kind === 'store-fail-over'),
  });
  server.noticesGone = () => dice.chance(0.7);
  const world: World = {
    ...{ engine, dice, knobs, rules, network, server, audit, counters, nodes, agents },
    scheduling: {
      lagMs: () => (dice.chance(0.1) ? knobs.lagMs * dice.next() : 0),
      timersFirst: () => dice.chance(0.7),
    },
    trace: onLine === undefined ? null : tracer(engine, onLine),
    newId: (prefix) => {
      ids.next += 1;
      return `${prefix}${ids.next}`;
    },
    users: { areDone: false },
    onPhase: (node) => faults.ambush(node),
  };
  for (const [index, name] of knobs.nodes.entries()) {
    const clocks = knobs.hosts[index];
    if (clocks === undefined) throw new Error('no clocks for a host');
    nodes.push(new Node(world, name, index + 1, new Host(name, engine, clocks)));
  }
  for (let index = 0; index < knobs.work.agents; index++) {
    const name = `w${index + 1}`;
    const clocks = { rate: 1, monotonicMs: 1_000, wallMs: knobs.store.clockMs };
    const place = knobs.nodes.length + 1 + index;
    agents.push(new SimAgent(world, name, place, new Host(name, engine, clocks)));
  }
  const faults = new Faults(world);
  return { world, faults };
}

/** Wakes whoever listens to the store, unless the notice gets lost. */
function hint({ network, nodes }: World): void {
  for (const node of nodes) {
    network.send(STORE, node.place, () => {
      const { heartbeat } = node;
      heartbeat?.process.take(() => heartbeat.dispatch({ kind: 'hint' }));
    });
  }
}

function users(world: World): void {
  const { engine, knobs, nodes } = world;
  const again = () => {
    if (world.users.areDone) return;
    for (const node of nodes) {
      for (const controller of node.controllers) if (controller.isServing) controller.request();
    }
    engine.after(knobs.requestEveryMs, again);
  };
  again();
}

/** Demands an active that commits, within the bound. */
function recover(world: World, faults: Faults): number | null {
  const { engine, audit, trace } = world;
  trace?.('HEALED', 'nothing goes wrong from now on');
  faults.heal();
  const healedAt = engine.now;
  const boundMs = recoveryBoundMs(world, faults);
  engine.runUntil(
    healedAt + boundMs,
    () => audit.violation !== null || audit.lastAnswerAt > healedAt,
  );
  if (audit.violation !== null) return null;
  if (audit.lastAnswerAt <= healedAt) {
    audit.breach('I10', `nobody commits ${Math.round(boundMs)} ms after the end of all faults`);
    return null;
  }
  const recoveredAfterMs = audit.lastAnswerAt - healedAt;
  if (world.agents.length > 0) settle(world);
  return recoveredAfterMs;
}

/** Demands that every agent follows the active, and that every run that users were told of ends. */
function settle(world: World): void {
  const { engine, audit, knobs, users } = world;
  users.areDone = true;
  const { lostAfterMs, longestRunMs } = knobs.work;
  const until = engine.now + 2 * lostAfterMs + 4 * longestRunMs + 20_000;
  while (engine.now < until && audit.violation === null) {
    engine.runUntil(engine.now + 1_000, () => audit.violation !== null);
    if (audit.work.astray() === null && audit.work.unfinished() === null) return;
  }
  const astray = audit.work.astray();
  if (astray !== null) audit.breach('I8', `after all was healed ${astray}`);
  const unfinished = audit.work.unfinished();
  if (unfinished !== null) audit.breach('I6', `after all was healed ${unfinished}`);
}

/** The longest time from the end of all faults until a user's request is committed. */
function recoveryBoundMs({ knobs, nodes }: World, { hasStoreClockJumped }: Faults): number {
  const { timers, role } = knobs;
  const silenceMs = timers.ttlMs * (1 + timers.clockRateBound) * (hasStoreClockJumped ? 3 : 1);
  const holdOffMs = Math.max(
    0,
    ...nodes.map(({ heartbeat }) =>
      heartbeat === null ? 0 : heartbeat.state.claimNotBefore - heartbeat.nowMs(),
    ),
  );
  const startMs = knobs.heartbeatStartMs + 2 * knobs.controllerStartMs + 3 * 500;
  const goesOnMs = role.serveWithinMs + role.drainMs;
  return (
    silenceMs +
    holdOffMs +
    startMs +
    goesOnMs +
    timers.pollEveryMs +
    4 * timers.callTimeoutMs +
    knobs.serveMs +
    3 * knobs.requestEveryMs +
    5_000
  );
}

function tracer(engine: Engine, onLine: (line: string) => void): World['trace'] {
  return (who, what) => {
    onLine(`${(engine.now / 1_000).toFixed(4).padStart(9)} s  ${who.padEnd(7)} ${what}`);
  };
}
