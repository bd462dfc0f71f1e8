import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPortFree } from '@understudy/scripts/postgres/port';
import { readProc } from '@understudy/shared/runtime/child';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';

/**
 * Does what a newcomer does: starts the one-machine system in an empty folder, runs a job, kills the
 * active controller, runs the job again, and ends it all with Ctrl-C. Exits with 0 when all of it went
 * well and nothing is left behind. Run it with `node test/dist/smoke/local.js`.
 */
const command = fileURLToPath(new URL('../../../scripts/bin/understudy.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'understudy-smoke-'));
const logFile = join(folder, 'output');

const started: ChildProcess[] = [];
try {
  await smoke();
  console.log('smoke: all went well');
} catch (error) {
  console.error('smoke: failed:', error);
  showOutput();
  process.exitCode = 1;
} finally {
  for (const each of started) each.kill('SIGKILL');
  for (const pid of leftovers()) signal(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

async function smoke(): Promise<void> {
  const portBase = await freePortBase();
  const output = openSync(logFile, 'a');
  const args = ['local', '--data', join(folder, 'data'), '--port-base', `${portBase}`];
  const system = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  started.push(system);
  await eventually(() => (statusCode() === 0 ? true : null), {
    what: 'a pair with a ready passive',
    withinMs: 120_000,
    everyMs: 200,
  });
  await runHello('the first run');

  const before = activeController();
  console.log(`kills the controller of ${before.node}, pid ${before.pid}`);
  process.kill(before.pid, 'SIGKILL');
  await eventually(() => (activeController().pid === before.pid ? null : true), {
    what: 'another controller',
    everyMs: 100,
  });
  await runHello('a run after the fail-over');

  system.kill('SIGINT');
  const [code] = (await once(system, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the system ended with ${code}`);
  const left = leftovers();
  if (left.length > 0) throw new Error(`left behind: processes ${left.join(', ')}`);
}

/** The sample jobs are there a moment after the pair. */
async function runHello(what: string): Promise<void> {
  const said = await eventually(
    () => understudy('job', 'run', 'hello', '--follow', '--param', 'NAME=smoke'),
    { what, everyMs: 250 },
  );
  if (!said.includes('Hello smoke!') || !said.includes('Done.')) {
    throw new Error(`${what} wrote: ${said}`);
  }
  console.log(`${what} succeeded`);
}

interface Status {
  readonly heartbeats: readonly {
    readonly status?: {
      readonly node: string;
      readonly role: string;
      readonly phase: string;
      readonly controller: { readonly pid: number | null };
    };
  }[];
}

function activeController(): { readonly node: string; readonly pid: number } {
  // With no active the command exits with 2, and this is asked again.
  const { heartbeats } = JSON.parse(understudy('status', '--json')) as Status;
  const active = heartbeats.find(({ status }) => status?.phase === 'serving')?.status;
  if (active === undefined || active.controller.pid === null) throw new Error('no active');
  return { node: active.node, pid: active.controller.pid };
}

function statusCode(): number {
  try {
    understudy('status');
    return 0;
  } catch (error) {
    return (error as { status?: number | null }).status ?? -1;
  }
}

function understudy(...args: readonly string[]): string {
  const config = join(folder, 'data', 'a.yaml');
  return execFileSync(process.execPath, [command, ...args, '--config', config], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

/** Processes that have the folder of this smoke test among their arguments or in their environment. */
function leftovers(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) =>
      ['cmdline', 'environ'].some((file) => readProc(`/proc/${name}/${file}`)?.includes(folder)),
    )
    .map(Number);
}

async function freePortBase(): Promise<number> {
  const used = [0, 1, 2, 101, 102, 132];
  for (let base = 25_800; base < 25_865; base += 3) {
    const free = await Promise.all(used.map((offset) => isPortFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error('no free ports');
}

function showOutput(): void {
  const logs = join(folder, 'data', 'logs');
  const files = [logFile, ...list(logs).map((name) => join(logs, name))];
  for (const file of files) {
    console.error(`--- ${file}\n${readFileSync(file, 'utf8').split('\n').slice(-40).join('\n')}`);
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
