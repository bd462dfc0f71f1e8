import { measuredSchema, worstCaseSchema } from '@understudy/shared/protocol/events';
import { messageOf } from '@understudy/shared/runtime/errors';
import axios from 'axios';
import { z } from 'zod';

const statusSchema = z.object({
  pair: z.string(),
  node: z.string(),
  role: z.enum(['active', 'passive']),
  phase: z.string(),
  term: z.coerce.string().nullable(),
  active: z.object({ node: z.string(), url: z.string().nullish() }).nullable(),
  leaseRemainingMs: z.number().nullish(),
  incarnation: z.string().nullish(),
  controller: z
    .object({ state: z.string(), pid: z.number().nullish(), url: z.string().nullish() })
    .nullish(),
  ready: z.boolean(),
  notReady: z.array(z.string()),
  failsafe: z.unknown(),
  paused: z.unknown(),
  /** What is left of a pause. */
  pausedForMs: z.number().nullish(),
  /** Null: no virtual address is configured there. */
  vip: z
    .object({
      held: z.boolean(),
      addresses: z.array(
        z.object({ address: z.string(), interface: z.string(), held: z.boolean() }),
      ),
      problem: z.string().nullable(),
    })
    .nullish(),
  version: z.string().nullish(),
  pid: z.number().nullish(),
  disagreements: z.array(z.string()).default([]),
  promise: z.array(worstCaseSchema).default([]),
  measured: z.array(measuredSchema).default([]),
  /** Of the node's certificate; null: it speaks plain HTTP. */
  certificate: z
    .object({
      expiresAt: z.string(),
      expiresInMs: z.number(),
      authorityExpiresAt: z.string(),
      authorityExpiresInMs: z.number(),
      problem: z.string().nullable(),
      plainAccepted: z.boolean().default(false),
    })
    .nullish(),
  /** How the last tenure of that heartbeat ended. */
  lastDemotion: z
    .object({ term: z.string(), reason: z.string(), detail: z.string(), at: z.string() })
    .nullish(),
});

/** What a heartbeat says of itself and its pair at `GET /status`. */
export type HeartbeatStatus = z.infer<typeof statusSchema>;

export type StatusAnswer =
  | { readonly kind: 'answered'; readonly url: string; readonly status: HeartbeatStatus }
  | { readonly kind: 'silent'; readonly url: string; readonly why: string };

/** Asks one heartbeat. Never throws. */
export async function askHeartbeat(url: string, timeoutMs: number): Promise<StatusAnswer> {
  try {
    const answer = await axios.get<unknown>(`${url}/status`, {
      proxy: false,
      maxRedirects: 0,
      signal: AbortSignal.timeout(timeoutMs),
      validateStatus: () => true,
    });
    const parsed = statusSchema.safeParse(answer.data);
    if (parsed.success) return { kind: 'answered', url, status: parsed.data };
    return {
      kind: 'silent',
      url,
      why: `answered ${answer.status} with something else than a status`,
    };
  } catch (error) {
    const why = axios.isCancel(error) ? `no answer within ${timeoutMs} ms` : messageOf(error);
    return { kind: 'silent', url, why };
  }
}
