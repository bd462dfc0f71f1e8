import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { makeApiClient } from '../cli/client/api-client.ts';
import { askHeartbeat } from '../cli/client/heartbeat-status.ts';
import { print } from '../cli/output.ts';
import { judgePair } from '../cli/pair-verdict.ts';
import type { ProcessEnd } from './kept-process.ts';
import { applySamples } from './samples.ts';
import { stopOnSignals } from './stop-signals.ts';
import { tellMove } from './story.ts';
import { type LocalOptions, type LocalSystem, startSystem } from './system.ts';
import { watchMoves } from './watch.ts';
import { welcome } from './welcome.ts';

const READY_WITHIN_MS = 60_000;

/** `understudy local`: runs the one-machine system until it is asked to stop. Gives the exit code. */
export async function runLocal(options: LocalOptions): Promise<number> {
  const stopping = stopOnSignals();
  const ends: ProcessEnd[] = [];
  print('starting ...');
  const system = await startSystem({
    ...options,
    onEnd: (end) => {
      ends.push(end);
      print(`${timestamp()}  ${endLine(end)}`);
    },
  });
  try {
    await whenReady(system, stopping, ends);
    if (!stopping.aborted) await live(system, stopping, ends);
  } finally {
    print('stopping ...');
    await system.stop();
  }
  return 0;
}

async function live(
  system: LocalSystem,
  stopping: AbortSignal,
  ends: readonly ProcessEnd[],
): Promise<void> {
  const { layout, token } = system;
  const api = makeApiClient({
    controllers: [layout.frontUrl],
    heartbeats: [],
    token,
    timeoutMs: READY_WITHIN_MS,
  });
  try {
    await applySamples(api, layout.samplesFile);
  } catch (error) {
    print(`the sample jobs could not be applied: ${messageOf(error)}`);
  }
  print(await welcome(system));
  await watchMoves({
    host: '127.0.0.1',
    port: layout.frontPort,
    signal: stopping,
    onMove: (move) => {
      if (move.from === null) return;
      void tellMove(move, system, ends).then((line) => print(`${timestamp()}  ${line}`));
    },
  });
}

/** Waits until one node is active and the other ready; tells where to look when that takes too long. */
async function whenReady(
  system: LocalSystem,
  stopping: AbortSignal,
  ends: readonly ProcessEnd[],
): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  let summary = '';
  while (!stopping.aborted && performance.now() < deadline) {
    const hopeless = ends.find((end) => end.restartInMs === null);
    if (hopeless !== undefined)
      throw new UserError(`${hopeless.name} can't run: ${lastLine(hopeless)}`);
    const answers = await Promise.all(
      system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)),
    );
    const verdict = judgePair(answers);
    const isServing = answers.some(
      (each) => each.kind === 'answered' && each.status.active !== null,
    );
    if (verdict.exitCode === 0 && isServing) return;
    summary = verdict.summary;
    await delay(50, null, { signal: stopping }).catch(() => undefined);
  }
  if (stopping.aborted) return;
  const logs = join(relative(process.cwd(), system.layout.logs), '*.log');
  throw new UserError(`the pair was not ready within 60 s: ${summary}; the logs are in ${logs}`);
}

function endLine(end: ProcessEnd): string {
  const { name, how, restartInMs } = end;
  if (restartInMs === null)
    return `${name} ended (${how}) and is not started again: ${lastLine(end)}`;
  const when = restartInMs === 0 ? 'at once' : `in ${(restartInMs / 1000).toFixed(1)} s`;
  return `${name} ended (${how}); starts again ${when}`;
}

function lastLine({ logFile }: ProcessEnd): string {
  const [last = ''] = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-1);
  return `${last} (${relative(process.cwd(), logFile)})`;
}

function timestamp(): string {
  return new Date().toISOString().slice(11, 23);
}
