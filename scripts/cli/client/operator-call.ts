import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import { z } from 'zod';
import { callHeartbeat, type HeartbeatAnswer } from './heartbeat-api.ts';
import { askHeartbeat } from './heartbeat-status.ts';

export interface PairAddress {
  readonly heartbeat: Pick<ControllerHostConfig['heartbeat'], 'url' | 'peers'>;
  readonly token: string;
}

export const switchedSchema = z.object({
  from: z.string(),
  to: z.string(),
  term: z.string(),
  interruptedMs: z.number().nullable(),
});
export type Switched = z.infer<typeof switchedSchema>;

const pausedSchema = z.object({ pausedForMs: z.number().nullable() });

export interface SwitchOverOrder {
  readonly to: string | null;
  readonly timeoutMs: number;
}

/** Asks the pair to move the active role. Throws `UserError` with the reason when it is refused. */
export function orderSwitchOver(pair: PairAddress, order: SwitchOverOrder): Promise<Switched> {
  const body = order.to === null ? {} : { to: order.to };
  return callPair(pair, switchedSchema, { path: '/switchover', body, timeoutMs: order.timeoutMs });
}

/** Pauses automatic changes for so long, null: ends the pause. Gives what is left of it. */
export async function orderPause(
  pair: PairAddress,
  forMs: number | null,
  timeoutMs: number,
): Promise<number | null> {
  const request =
    forMs === null ? { path: '/resume', body: {} } : { path: '/pause', body: { forMs } };
  return (await callPair(pair, pausedSchema, { ...request, timeoutMs })).pausedForMs;
}

interface PairRequest {
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs: number;
}

/**
 * Sends an order to the heartbeat of the active node, or to any that answers. Never to two: what
 * happened to an order without an answer is not known.
 */
async function callPair<T extends z.ZodType>(
  { heartbeat, token }: PairAddress,
  schema: T,
  { path, body, timeoutMs }: PairRequest,
): Promise<z.output<T>> {
  const urls = [heartbeat.url, ...heartbeat.peers];
  const answers = await Promise.all(
    urls.map((url) => askHeartbeat(url, Math.min(timeoutMs, 2_000))),
  );
  const heard = answers.flatMap((each) => (each.kind === 'answered' ? [each] : []));
  const chosen = heard.find(({ status }) => status.role === 'active') ?? heard[0];
  if (chosen === undefined) throw new UserError(`no heartbeat answers: ${urls.join(', ')}`);
  const request = { method: 'POST', path, body, timeoutMs } as const;
  return expectDone(chosen, await callHeartbeat(chosen.url, token, schema, request));
}

/** The body of an answer to an order. Throws `UserError` when it was refused, or nothing came. */
export function expectDone<T>(
  { status: { node } }: { readonly status: { readonly node: string } },
  answer: HeartbeatAnswer<T>,
): T {
  switch (answer.kind) {
    case 'answered':
      return answer.body;
    case 'refused':
      throw new UserError(`refused by ${node}: ${answer.reason} (${answer.code})`);
    case 'silent':
      throw new UserError(
        `${node} gave no answer: ${answer.why}; ` +
          'whether it was done is not known, `understudy status` tells',
      );
  }
}
