import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobInput, Run } from '@understudy/shared/protocol/api';
import { processId } from '@understudy/shared/runtime/child';
import type { ApiClient } from '../cli/client/api-client.ts';
import { isFinal } from '../cli/client/follow-log.ts';

/** What was wrong with the runs of one round; all empty when nothing was. */
export interface WorkFaults {
  /** Accepted and never started, or ended as anything but succeeded. */
  readonly lost: readonly string[];
  /** Started more than once. */
  readonly doubled: readonly string[];
  /** Not over in time, or with a process still alive. */
  readonly leftRunning: readonly string[];
}

export interface Workload {
  /** Starts so many runs and gives the ids of those that were accepted. */
  start(count: number): Promise<readonly string[]>;
  /** Waits until all of them are over and judges how that went. */
  judge(ids: readonly string[]): Promise<WorkFaults>;
}

const JOB = 'bench';
const OVER_WITHIN_MS = 90_000;

/**
 * Runs that each append one line with run, attempt and pid to a file before they work: the file is the
 * proof of what was started how often, whatever the controllers believe.
 */
export async function prepareWork(api: ApiClient, folder: string): Promise<Workload> {
  const file = join(folder, 'started.txt');
  const job: JobInput = {
    name: JOB,
    // `>>` opens with O_APPEND; a line this short is written in one piece.
    command: [
      'sh',
      '-c',
      'echo "$UNDERSTUDY_RUN $UNDERSTUDY_ATTEMPT $$" >> "$FILE"; exec sleep "$SECONDS_TO_SLEEP"',
    ],
    env: { FILE: file },
    delivery: 'at-most-once',
  };
  await api.request({ method: 'PUT', path: `/jobs/${JOB}`, body: job });
  return {
    start: async (count) => {
      const accepted = await Promise.allSettled(
        Array.from({ length: count }, (_, index) =>
          api.request<Run>({
            method: 'POST',
            path: `/jobs/${JOB}/runs`,
            body: { parameters: { SECONDS_TO_SLEEP: `${2 + (index % 3)}` } },
          }),
        ),
      );
      return accepted.flatMap((each) => (each.status === 'fulfilled' ? [each.value.id] : []));
    },
    judge: async (ids) => {
      const runs = await whenOver(api, ids);
      return judgeRuns(ids, runs, readStarts(file));
    },
  };
}

async function whenOver(api: ApiClient, ids: readonly string[]): Promise<ReadonlyMap<string, Run>> {
  const deadline = performance.now() + OVER_WITHIN_MS;
  const runs = new Map<string, Run>();
  const open = new Set(ids);
  while (open.size > 0 && performance.now() < deadline) {
    for (const id of open) {
      const run = await api.request<Run>({ method: 'GET', path: `/runs/${id}` });
      runs.set(id, run);
      if (isFinal(run)) open.delete(id);
    }
    if (open.size > 0) await delay(200);
  }
  return runs;
}

interface Start {
  readonly run: string;
  readonly pid: number;
}

function readStarts(file: string): Start[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [run = '', , pid = '0'] = line.split(' ');
    return { run, pid: Number(pid) };
  });
}

function judgeRuns(
  ids: readonly string[],
  runs: ReadonlyMap<string, Run>,
  starts: readonly Start[],
): WorkFaults {
  const faults = { lost: [] as string[], doubled: [] as string[], leftRunning: [] as string[] };
  for (const id of ids) {
    const run = runs.get(id);
    const own = starts.filter((start) => start.run === id);
    const shown = `${id} (${run?.state ?? 'unknown'}${run?.reason ? `: ${run.reason}` : ''}, started ${own.length} times)`;
    if (own.length > 1) faults.doubled.push(shown);
    const isOver = run !== undefined && isFinal(run);
    if (!isOver || own.some((start) => processId(start.pid) !== null))
      faults.leftRunning.push(shown);
    else if (own.length === 0 || run.state !== 'succeeded') faults.lost.push(shown);
  }
  return faults;
}

/** The faults of one round as lines for people. */
export function tellFaults(faults: WorkFaults): string[] {
  return [
    ...faults.lost.map((run) => `lost: ${run}`),
    ...faults.doubled.map((run) => `doubled: ${run}`),
    ...faults.leftRunning.map((run) => `left running: ${run}`),
  ];
}
