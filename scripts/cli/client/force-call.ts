import { UserError } from '@understudy/shared/runtime/errors';
import { callHeartbeat } from './heartbeat-api.ts';
import { askHeartbeat, type HeartbeatStatus } from './heartbeat-status.ts';
import { expectDone, type PairAddress, type Switched, switchedSchema } from './operator-call.ts';

/** The pair as it is right before the role is taken by force. */
export interface SeenForForce {
  /** Of the heartbeat that is to take the role. */
  readonly url: string;
  readonly status: HeartbeatStatus;
  /** What the node says that calls itself active; null: none that answers does. */
  readonly active: HeartbeatStatus | null;
}

const LOOK_WITHIN_MS = 2_000;

/** Looks for the node that is to take the role, and for the one that has it. Throws `UserError` without the former. */
export async function seeForForce(
  { heartbeat }: PairAddress,
  to: string,
  timeoutMs: number,
): Promise<SeenForForce> {
  const urls = [heartbeat.url, ...heartbeat.peers];
  const limitMs = Math.min(timeoutMs, LOOK_WITHIN_MS);
  const answers = await Promise.all(urls.map((url) => askHeartbeat(url, limitMs)));
  const heard = answers.flatMap((each) => (each.kind === 'answered' ? [each] : []));
  const wanted = heard.find(({ status }) => status.node === to);
  const active = heard.find(({ status }) => status.role === 'active')?.status ?? null;
  if (wanted !== undefined) return { ...wanted, active };
  const known = heard.map(({ status }) => status.node).join(', ') || 'none';
  throw new UserError(
    `no heartbeat that answers calls itself ${to} (asked ${urls.join(', ')}; nodes: ${known})`,
  );
}

/** Orders that node to take the role, whoever has it. Throws `UserError` with the reason when it is refused. */
export async function orderForce(
  { token }: PairAddress,
  seen: SeenForForce,
  timeoutMs: number,
): Promise<Switched> {
  const body = { to: seen.status.node, force: true };
  const request = { method: 'POST', path: '/switchover', body, timeoutMs } as const;
  return expectDone(seen, await callHeartbeat(seen.url, token, switchedSchema, request));
}
