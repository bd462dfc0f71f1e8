import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '@understudy/shared/runtime/errors';
import { askHeartbeat, type HeartbeatStatus } from '../cli/client/heartbeat-status.ts';
import { judgePair } from '../cli/pair-verdict.ts';

/** A pair that can afford a drill: one active, a passive that is ready, nothing out of the ordinary. */
export interface FitPair {
  readonly active: HeartbeatStatus;
  readonly term: bigint;
  readonly statuses: readonly HeartbeatStatus[];
}

const ASK_TIMEOUT_MS = 1_000;
const LOOK_EVERY_MS = 100;

/** Looks at the pair. A text instead: why no drill should begin now. */
export async function lookAtPair(urls: readonly string[]): Promise<FitPair | string> {
  const answers = await Promise.all(urls.map((url) => askHeartbeat(url, ASK_TIMEOUT_MS)));
  const statuses = answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
  const { exitCode, summary, disagreements } = judgePair(answers);
  const active = statuses.find((status) => status.role === 'active');
  if (exitCode !== 0 || active === undefined || active.term === null) return summary;
  if (active.active?.node !== active.node) return `${active.node} does not serve yet`;
  if (disagreements.length > 0) return disagreements.join('; ');
  if (statuses.some((status) => status.failsafe === true)) return 'the pair is in failsafe';
  if (statuses.some((status) => status.paused === true)) return 'the pair is paused';
  return { active, term: BigInt(active.term), statuses };
}

/** The pair, if it is fit for a drill. Throws `UserError` with the reason otherwise. */
export async function requireFitPair(urls: readonly string[]): Promise<FitPair> {
  const pair = await lookAtPair(urls);
  if (typeof pair === 'string') throw new UserError(`no drill now: ${pair}`);
  return pair;
}

/** Waits until the pair is whole and as wanted; null when it did not become so in time. */
export async function untilWhole(
  urls: readonly string[],
  isWanted: (pair: FitPair) => boolean,
  withinMs: number,
): Promise<FitPair | null> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const pair = await lookAtPair(urls);
    if (typeof pair !== 'string' && isWanted(pair)) return pair;
    await delay(LOOK_EVERY_MS);
  }
  return null;
}
