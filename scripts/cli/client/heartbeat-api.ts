import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import axios from 'axios';
import type { z } from 'zod';

export interface HeartbeatRequest {
  readonly method: 'GET' | 'POST';
  /** From the heartbeat's root on. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly timeoutMs: number;
}

export type HeartbeatAnswer<T> =
  | { readonly kind: 'answered'; readonly url: string; readonly body: T }
  | {
      readonly kind: 'refused';
      readonly url: string;
      readonly status: number;
      readonly code: string;
      readonly reason: string;
    }
  | { readonly kind: 'silent'; readonly url: string; readonly why: string };

/** Asks one heartbeat with the pair's token. Never throws. */
export async function callHeartbeat<T extends z.ZodType>(
  url: string,
  token: string,
  schema: T,
  request: HeartbeatRequest,
): Promise<HeartbeatAnswer<z.output<T>>> {
  try {
    const answer = await axios.request<unknown>({
      method: request.method,
      url: url + request.path,
      params: request.query,
      data: request.body,
      headers: { Authorization: `Bearer ${token}` },
      proxy: false,
      maxRedirects: 0,
      signal: AbortSignal.timeout(request.timeoutMs),
      validateStatus: () => true,
    });
    const parsed = schema.safeParse(answer.data);
    if (answer.status < 300 && parsed.success) return { kind: 'answered', url, body: parsed.data };
    return refusalOf(url, answer.status, answer.data);
  } catch (error) {
    const why = axios.isCancel(error)
      ? `no answer within ${request.timeoutMs} ms`
      : messageOf(error);
    return { kind: 'silent', url, why };
  }
}

/** One line for each heartbeat that did not answer as asked. */
export function complaintsOf(answers: readonly HeartbeatAnswer<unknown>[]): string[] {
  return answers.flatMap((each) => {
    if (each.kind === 'answered') return [];
    return [`${each.url}: ${each.kind === 'silent' ? each.why : each.reason}`];
  });
}

/** The error of a command that no heartbeat answered. */
export function nobodyAnswered(answers: readonly HeartbeatAnswer<unknown>[]): UserError {
  return new UserError(`no heartbeat answered: ${complaintsOf(answers).join('; ')}`);
}

function refusalOf(url: string, status: number, data: unknown): HeartbeatAnswer<never> {
  const { error } = (data ?? {}) as { error?: { code?: string; message?: string } };
  return {
    kind: 'refused',
    url,
    status,
    code: error?.code ?? `${status}`,
    reason: error?.message ?? `it answered ${status}`,
  };
}
