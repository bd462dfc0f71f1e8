import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import { promiseRows } from '../cli/explain/promise-table.ts';
import { type FitPair, requireFitPair, untilWhole } from './fit-pair.ts';
import { type DrillKind, type DrillPlan, planDrill } from './plans.ts';
import { type Observed, type Prober, startProber } from './prober.ts';

export interface DrillOptions {
  readonly kind: DrillKind;
  readonly config: ControllerHostConfig;
  readonly configFile: string | null;
  /** What users ask. Empty: the controllers' own URLs. */
  readonly urls: readonly URL[];
  /** Told what will be done and what is promised; false: nothing is done. */
  readonly confirm: (announcement: string) => Promise<boolean>;
  readonly say: (line: string) => void;
  readonly breakOff: AbortSignal;
}

export interface DrillResult {
  readonly kind: DrillKind;
  readonly promisedMs: number;
  /** By the drill's own requests: the longest time without a good answer. */
  readonly measuredMs: number;
  /** By the new active itself; null when it measured nothing. */
  readonly measuredByPairMs: number | null;
  readonly answered: number;
  readonly failed: number;
  readonly from: string;
  readonly to: string | null;
  readonly kept: boolean;
  /** Why the promise is broken; empty when it was kept. */
  readonly complaints: readonly string[];
}

const WHOLE_WITHIN_MS = 60_000;
/** While nobody changes roles, users notice nothing longer than this. */
const NO_CHANGE_MS = 1_000;
/** So long everything is measured before, to see that users are answered at all. */
const WARM_UP_MS = 1_000;
/** A second interruption right after the first one counts as well. */
const AFTERMATH_MS = 500;

/**
 * Does a failure for real to a running pair and says whether the promise was kept. Begins only with a pair
 * that is fit, ends when it is whole again. Throws `UserError` when it was not done.
 */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { kind, config, say } = options;
  const heartbeats = [config.heartbeat.url, ...config.heartbeat.peers];
  const pair = await requireFitPair(heartbeats);
  const plan = planDrill(kind, { config, configFile: options.configFile, pair });
  const promisedMs = promiseFor(plan, pair);
  if (!(await options.confirm(announce(plan, pair, promisedMs)))) {
    throw new UserError('nothing was done');
  }
  const ca = config.tls === null ? null : readFileSync(config.tls.ca, 'utf8');
  const prober = startProber({ urls: probedUrls(options, pair), token: config.token, ca });
  const undoNow = () => plan.undo();
  options.breakOff.addEventListener('abort', undoNow);
  try {
    await requireAnswers(prober);
    // Between the question and now something may have changed.
    const now = await requireFitPair(heartbeats);
    if (now.term !== pair.term) throw new UserError('no drill now: the active node has changed');
    prober.begin();
    say(`does it: ${plan.deed}`);
    await plan.act();
    const isOver = (found: FitPair) => plan.failure === null || found.term > pair.term;
    const whole = await untilWhole(heartbeats, isOver, WHOLE_WITHIN_MS);
    await delay(AFTERMATH_MS);
    const observed = prober.observed();
    const isOneAddress = options.urls.length === 1;
    return judge({ isOneAddress, kind, plan, pair, whole, promisedMs, observed });
  } finally {
    options.breakOff.removeEventListener('abort', undoNow);
    plan.undo();
    prober.stop();
  }
}

interface Outcome {
  readonly kind: DrillKind;
  readonly plan: DrillPlan;
  readonly pair: FitPair;
  readonly whole: FitPair | null;
  readonly promisedMs: number;
  readonly observed: Observed;
  /** Users' own address was asked, which is to be answered by whoever is active. */
  readonly isOneAddress: boolean;
}

function judge({
  isOneAddress,
  kind,
  plan,
  pair,
  whole,
  promisedMs,
  observed,
}: Outcome): DrillResult {
  const measuredMs = Math.round(observed.longestSilenceMs * 10) / 10;
  const complaints: string[] = [];
  if (measuredMs > promisedMs) complaints.push(`nobody answered for ${measuredMs} ms`);
  if (whole === null)
    complaints.push(`the pair was not whole again within ${WHOLE_WITHIN_MS / 1_000} s`);
  if (kind === 'switchover' && isOneAddress && observed.failed > 0) {
    complaints.push(`${observed.failed} requests failed, where none should`);
  }
  if (plan.failure === null && whole !== null && whole.term !== pair.term) {
    complaints.push(`the role moved, though only the database was away: term ${whole.term}`);
  }
  return {
    ...{ kind, promisedMs, measuredMs },
    measuredByPairMs: whole === null || plan.failure === null ? null : measuredByPair(whole),
    answered: observed.answered,
    failed: observed.failed,
    from: pair.active.node,
    to: whole?.active.node ?? null,
    kept: complaints.length === 0,
    complaints,
  };
}

function measuredByPair({ statuses, term }: FitPair): number | null {
  const all = statuses.flatMap((status) => status.measured);
  return all.find(({ last }) => last.term === `${term}`)?.last.interruptedMs ?? null;
}

function promiseFor(plan: DrillPlan, pair: FitPair): number {
  if (plan.failure === null) return NO_CHANGE_MS;
  const rows = promiseRows(pair.statuses);
  const promised = rows.find((row) => row.failure === plan.failure)?.promisedMs ?? null;
  if (promised === null) throw new UserError(`the pair tells no promise for ${plan.failure}`);
  return promised;
}

function announce(plan: DrillPlan, pair: FitPair, promisedMs: number): string {
  const { pair: name, node } = pair.active;
  const promise =
    plan.failure === null
      ? `${node} stays active, and users are answered all the time (no gap above ${promisedMs} ms)`
      : `users are without an answer for at most ${promisedMs} ms`;
  const lines = [
    `pair ${name}, ${node} is active under term ${pair.term}`,
    `will do: ${plan.deed}`,
    `promised: ${promise}`,
  ];
  return lines.join('\n');
}

/** The pair's own API, on each node: whichever is active answers. */
function probedUrls({ urls }: DrillOptions, pair: FitPair): readonly URL[] {
  if (urls.length > 0) return urls;
  const own = pair.statuses.flatMap((status) => status.controller?.url ?? []);
  return own.map((url) => new URL('/api/v1/pair', url));
}

async function requireAnswers(prober: Prober): Promise<void> {
  prober.begin();
  await delay(WARM_UP_MS);
  if (prober.observed().answered > 0) return;
  throw new UserError('no drill now: nobody answers where users would ask; --url says where');
}
