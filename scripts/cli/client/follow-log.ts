import { setTimeout as delay } from 'node:timers/promises';
import type { Run, RunState } from '@understudy/shared/protocol/api';
import type { ApiClient } from './api-client.ts';

/** States that a run does not leave. */
const finalStates: readonly RunState[] = [
  'succeeded',
  'failed',
  'timed-out',
  'cancelled',
  'lost',
  'skipped',
];

export function isFinal(run: Run): boolean {
  return finalStates.includes(run.state);
}

/**
 * Writes a run's log from a byte offset on, until the run is over and all of it is written. A stream
 * that breaks off, as in a fail-over, is taken up again at the byte where it ended.
 */
export async function followLog(
  api: ApiClient,
  id: string,
  write: (bytes: Buffer) => void,
): Promise<Run> {
  let offset = 0;
  for (;;) {
    offset += await readLog(api, { id, offset, follow: true }, write);
    const run = await api.request<Run>({ method: 'GET', path: `/runs/${encodeURIComponent(id)}` });
    if (isFinal(run) && offset >= run.logBytes) return run;
    await delay(100);
  }
}

export interface LogRequest {
  readonly id: string;
  readonly offset: number;
  readonly follow: boolean;
}

/** Writes what one request for a log brings; gives the number of bytes, also when it broke off. */
export async function readLog(
  api: ApiClient,
  request: LogRequest,
  write: (bytes: Buffer) => void,
): Promise<number> {
  const query = { offset: `${request.offset}`, follow: `${request.follow}` };
  const body = await api.stream(`/runs/${encodeURIComponent(request.id)}/log`, query);
  let count = 0;
  try {
    for await (const chunk of body) {
      const bytes = chunk as Buffer;
      count += bytes.length;
      write(bytes);
    }
  } catch (error) {
    // Broken off: the caller asks again from where we are, unless it wanted one answer only.
    if (!request.follow) throw error;
  }
  return count;
}

/** Waits until a run is over. */
export async function waitForRun(api: ApiClient, id: string): Promise<Run> {
  for (;;) {
    const run = await api.request<Run>({ method: 'GET', path: `/runs/${encodeURIComponent(id)}` });
    if (isFinal(run)) return run;
    await delay(250);
  }
}
