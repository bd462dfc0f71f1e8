import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type ApiClient, makeApiClient } from '../cli/client/api-client.ts';
import { listAgents } from '../cli/commands/agent.ts';
import { print, table } from '../cli/output.ts';
import { stopOnSignals } from '../local/stop-signals.ts';
import { type LocalSystem, startSystem } from '../local/system.ts';
import { type Fault, faults } from './faults.ts';
import { findActive } from './pair.ts';
import { type Prober, startProber } from './prober.ts';
import { prepareWork, tellFaults, type Workload } from './work.ts';

const AGENTS_WITHIN_MS = 60_000;

/**
 * Measures how long the API is away when something happens to the active host, and checks that no run
 * is lost or doubled by it. Starts a system of its own in a temporary folder. Exit code 1 when a run
 * was lost, doubled, or left running.
 */
async function benchFailover(options: BenchOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  let system: LocalSystem | null = null;
  const cleanUp = async () => {
    await system?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  stopOnSignals().addEventListener('abort', () => void cleanUp().finally(() => process.exit(1)));
  try {
    system = await startSystem({
      data: join(folder, 'system'),
      portBase: options.portBase,
      agents: 2,
    });
    return await measure(system, folder, options);
  } finally {
    await cleanUp();
  }
}

interface BenchOptions {
  readonly times: number;
  readonly only?: string;
  readonly portBase: number;
  readonly jobs: number;
}

interface Result {
  readonly fault: Fault;
  readonly downtimesMs: readonly number[];
  readonly complaints: readonly string[];
}

async function measure(
  system: LocalSystem,
  folder: string,
  options: BenchOptions,
): Promise<number> {
  const { layout, token } = system;
  await findActive(system);
  const api = makeApiClient({
    controllers: [layout.frontUrl],
    heartbeats: layout.hosts.map((host) => host.heartbeatUrl),
    token,
    timeoutMs: 60_000,
  });
  const work = await prepareWork(api, folder);
  const ports = [layout.frontPort, ...layout.hosts.map((host) => host.controllerPort)];
  const prober = startProber({
    targets: ports.map((port) => ({ host: '127.0.0.1', port })),
    path: '/api/v1/pair',
    token,
  });
  const results: Result[] = [];
  try {
    for (const fault of faults) {
      if (options.only !== undefined && options.only !== fault.name) continue;
      results.push(await repeat(fault, options, { system, api, work, prober }));
    }
  } finally {
    prober.stop();
  }
  report(results, options);
  return results.some((result) => result.complaints.length > 0) ? 1 : 0;
}

interface Rig {
  readonly system: LocalSystem;
  readonly api: ApiClient;
  readonly work: Workload;
  readonly prober: Prober;
}

async function repeat(fault: Fault, { times, jobs }: BenchOptions, rig: Rig): Promise<Result> {
  const downtimesMs: number[] = [];
  const complaints: string[] = [];
  for (let round = 1; round <= times; round += 1) {
    await agentsConnected(rig.api);
    const ids = await rig.work.start(jobs);
    const victim = await findActive(rig.system);
    rig.prober.begin();
    fault.inject(victim);
    await untilNextTerm(rig.system, victim.term);
    // A moment more, so that a second interruption right after the first one counts as well.
    await delay(500);
    const downtimeMs = Math.round(rig.prober.longestSilenceMs() * 10) / 10;
    downtimesMs.push(downtimeMs);
    const found = tellFaults(await rig.work.judge(ids));
    if (ids.length < jobs) found.push(`only ${ids.length} of ${jobs} runs were accepted`);
    complaints.push(...found.map((line) => `${fault.name}, round ${round}: ${line}`));
    process.stderr.write(`${fault.title}, ${round} of ${times}: ${downtimeMs} ms\n`);
    for (const line of found) process.stderr.write(`  ${line}\n`);
  }
  return { fault, downtimesMs, complaints };
}

/** Work is given out only once both agents have found the controller that is active now. */
async function agentsConnected(api: ApiClient): Promise<void> {
  const deadline = performance.now() + AGENTS_WITHIN_MS;
  while (performance.now() < deadline) {
    const agents = await listAgents(api);
    if (agents.filter((agent) => agent.state === 'connected').length >= 2) return;
    await delay(50);
  }
  throw new UserError(`the agents did not connect within ${AGENTS_WITHIN_MS / 1_000} s`);
}

async function untilNextTerm(system: LocalSystem, term: string): Promise<void> {
  while (BigInt((await findActive(system)).term) <= BigInt(term)) await delay(20);
}

function report(results: readonly Result[], { jobs }: BenchOptions): void {
  const rows = results.map(({ fault, downtimesMs, complaints }) => [
    fault.title,
    `${downtimesMs.length}`,
    ...[median(downtimesMs), Math.min(...downtimesMs), Math.max(...downtimesMs)].map(
      (ms) => `${ms} ms`,
    ),
    `${downtimesMs.length * jobs}`,
    `${complaints.length}`,
  ]);
  print(table(['FAULT', 'TIMES', 'MEDIAN', 'MIN', 'MAX', 'RUNS', 'COMPLAINTS'], rows));
  const summary = results.map(({ fault, downtimesMs, complaints }) => ({
    fault: fault.name,
    times: downtimesMs.length,
    medianMs: median(downtimesMs),
    minMs: Math.min(...downtimesMs),
    maxMs: Math.max(...downtimesMs),
    complaints,
  }));
  print(JSON.stringify(summary));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper;
  return Math.round(((lower + upper) / 2) * 10) / 10;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

const program = new Command('bench:failover')
  .description('downtime of the API under faults of the active host')
  .option('--times <count>', 'rounds per fault', whole, 10)
  .addOption(new Option('--only <fault>', 'one fault').choices(faults.map((fault) => fault.name)))
  .option('--port-base <port>', 'six ports from this one on', whole, 7500)
  .option('--jobs <count>', 'runs under way at each fault', whole, 20);
program.parse();
try {
  process.exitCode = await benchFailover(program.opts<BenchOptions>());
} catch (error) {
  process.stderr.write(`bench:failover: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
