import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type Reader, StoreAwayError } from '../store/reader.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';
import { isLogComplete, readRunLog } from './run-log.ts';

export interface LogRequest {
  readonly run: string;
  readonly offset: number;
  /** Until the run is over and all of it was sent; else what is there now. */
  readonly follow: boolean;
}

export interface FollowerParts {
  readonly state: WorkState;
  readonly reader: Reader;
  readonly runs: RunService;
  /** Asked before each piece is sent. */
  readonly mayAct: () => boolean;
}

const RETRY_MS = 500;

/** Sends a run's log as raw bytes. The answer begins only when the first bytes could be read. */
export async function sendRunLog(
  request: LogRequest,
  parts: FollowerParts,
  response: ServerResponse,
): Promise<void> {
  let run = await parts.runs.get(request.run);
  let offset = request.offset;
  let data = await readRunLog(parts.reader, run, offset);
  const changes = watchRun(parts.state, run.id);
  response.once('close', () => changes.stop());
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.flushHeaders();
  while (!response.destroyed) {
    if (!parts.mayAct()) return void response.destroy();
    if (data !== null) {
      offset += data.length;
      if (!response.write(data)) await Promise.race([once(response, 'drain'), changes.stopped]);
    } else if (!request.follow || isLogComplete(run, offset)) {
      break;
    } else {
      await changes.next();
    }
    try {
      run = await parts.runs.get(run.id);
      data = await readRunLog(parts.reader, run, offset);
    } catch (error) {
      if (!(error instanceof StoreAwayError)) return void response.destroy();
      data = null;
      await pause(RETRY_MS);
      changes.wake();
    }
  }
  changes.stop();
  response.end();
}

/** Waits for commits of a run; none that comes between two waits is missed. */
function watchRun(state: WorkState, id: string) {
  let isNew = true;
  let wakeUp: () => void = () => undefined;
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const wake = () => {
    isNew = true;
    wakeUp();
  };
  const unsubscribe = state.onRun(id, wake);
  return {
    wake,
    stopped,
    next: async () => {
      if (!isNew) {
        const change = new Promise<void>((resolve) => {
          wakeUp = resolve;
        });
        await Promise.race([change, stopped]);
      }
      isNew = false;
    },
    stop: () => {
      unsubscribe();
      stop();
    },
  };
}
