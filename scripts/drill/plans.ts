import { setTimeout as delay } from 'node:timers/promises';
import type { Failure } from '@understudy/shared/kernel/promise';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { askHeartbeat } from '../cli/client/heartbeat-status.ts';
import { orderSwitchOver } from '../cli/client/operator-call.ts';
import type { FitPair } from './fit-pair.ts';
import { findLocalPostgres } from './local-postgres.ts';
import { findVictims, signal } from './victims.ts';

export const drillKinds = ['crash', 'freeze', 'host-loss', 'switchover', 'database'] as const;
export type DrillKind = (typeof drillKinds)[number];

/** What a drill does. */
export interface DrillPlan {
  /** What will be done, as a sentence. */
  readonly deed: string;
  /** Which promise it tests; null: that the role does not move and users are answered all the time. */
  readonly failure: Failure | null;
  act(): Promise<void>;
  /** Puts right what `act` may have left behind; called in any case, and at once when the drill is broken off. */
  undo(): void;
}

export interface PlanSources {
  readonly config: ControllerHostConfig;
  readonly configFile: string | null;
  readonly pair: FitPair;
}

/** Longer than any lease of usual settings: without failsafe the active would have to give up. */
export const DATABASE_AWAY_MS = 5_000;
const SETTLES_WITHIN_MS = 2_000;
const SWITCH_OVER_TIMEOUT_MS = 30_000;
const TAKEN_OVER_WITHIN_MS = 20_000;
const nothing = () => undefined;

/** Plans a drill, without doing anything yet. Throws `UserError` where it can't be done safely. */
export function planDrill(kind: DrillKind, sources: PlanSources): DrillPlan {
  switch (kind) {
    case 'crash':
      return planCrash(sources);
    case 'freeze':
      return planFreeze(sources);
    case 'host-loss':
      return planHostLoss(sources);
    case 'switchover':
      return planSwitchOver(sources);
    case 'database':
      return planDatabase(sources);
  }
}

function planCrash({ pair }: PlanSources): DrillPlan {
  const { controller } = findVictims(pair.active);
  return {
    deed: `kill -9 of the active controller on ${pair.active.node} (pid ${controller.pid})`,
    failure: 'controller-crash',
    act: async () => void signal(controller, 'SIGKILL'),
    undo: nothing,
  };
}

function planFreeze({ pair }: PlanSources): DrillPlan {
  const { controller } = findVictims(pair.active);
  return {
    deed: `SIGSTOP of the active controller on ${pair.active.node} (pid ${controller.pid})`,
    failure: 'controller-freeze',
    act: async () => void signal(controller, 'SIGSTOP'),
    undo: () => void signal(controller, 'SIGCONT'),
  };
}

/**
 * A lost host says nothing more and starts nothing again. So the heartbeat is stopped first, which no
 * service manager notices, and killed only when the other node has taken over.
 */
function planHostLoss({ config, pair }: PlanSources): DrillPlan {
  const { heartbeat, controller } = findVictims(pair.active);
  const { node } = pair.active;
  return {
    deed:
      `heartbeat and controller of ${node} fall silent at once ` +
      `(SIGSTOP of pid ${heartbeat.pid}, kill -9 of pid ${controller.pid}); ` +
      'the heartbeat is killed, too, once the other node serves',
    failure: 'host-loss',
    act: async () => {
      signal(heartbeat, 'SIGSTOP');
      signal(controller, 'SIGKILL');
      await anotherServes(config.heartbeat, pair);
      signal(heartbeat, 'SIGKILL');
    },
    undo: () => void signal(heartbeat, 'SIGKILL'),
  };
}

function planSwitchOver({ config, pair }: PlanSources): DrillPlan {
  return {
    deed: `a switch-over from ${pair.active.node} to the other node`,
    failure: 'switchover',
    act: async () => {
      await orderSwitchOver(config, { to: null, timeoutMs: SWITCH_OVER_TIMEOUT_MS });
    },
    undo: nothing,
  };
}

function planDatabase({ config, configFile }: PlanSources): DrillPlan {
  const postgres = findLocalPostgres(configFile, config.database);
  return {
    deed:
      `SIGSTOP of PostgreSQL (pid ${postgres.postmaster.pid} and its children) ` +
      `for ${DATABASE_AWAY_MS / 1_000} s`,
    failure: null,
    act: async () => {
      postgres.freeze();
      await delay(DATABASE_AWAY_MS);
      postgres.thaw();
      // What the outage moves, it may move late.
      await delay(SETTLES_WITHIN_MS);
    },
    undo: () => postgres.thaw(),
  };
}

async function anotherServes(
  { url, peers }: ControllerHostConfig['heartbeat'],
  { active, term }: FitPair,
): Promise<void> {
  const deadline = performance.now() + TAKEN_OVER_WITHIN_MS;
  while (performance.now() < deadline) {
    const answers = await Promise.all([url, ...peers].map((each) => askHeartbeat(each, 500)));
    const isTaken = answers.some(
      (each) =>
        each.kind === 'answered' &&
        each.status.node !== active.node &&
        each.status.active?.node === each.status.node &&
        BigInt(each.status.term ?? '0') > term,
    );
    if (isTaken) return;
    await delay(20);
  }
}
