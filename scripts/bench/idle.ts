import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readProc } from '@understudy/shared/runtime/child';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Command } from 'commander';
import pg from 'pg';
import { askHeartbeat } from '../cli/client/heartbeat-status.ts';
import { print } from '../cli/output.ts';
import { type LocalSystem, startSystem } from '../local/system.ts';
import { findActive } from './pair.ts';

interface IdleOptions {
  readonly minutes: number;
  /** So many busy loops run beside the pair. */
  readonly load: number;
  readonly portBase: number;
}

/** The bounds that a pair must keep while nothing happens. */
const MOST_CPU_PERCENT = 3;
const MOST_STATEMENTS_A_SECOND = 10;
const SETTLE_MS = 15_000;
/** How the kernel counts processor time: hundredths of a second. */
const MS_PER_TICK = 10;

/**
 * Watches a pair that has nothing to do: what it costs, and that nobody changes his role. Exit code 1 when
 * a bound is broken. With other load on the machine only the roles count: its costs are not the pair's own.
 */
async function benchIdle(options: IdleOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-idle-'));
  const busy: ChildProcess[] = [];
  let system: LocalSystem | null = null;
  try {
    system = await startSystem({
      data: join(folder, 'system'),
      portBase: options.portBase,
      agents: 2,
    });
    await findActive(system);
    await delay(SETTLE_MS);
    for (let i = 0; i < options.load; i++) {
      busy.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    }
    return report(await watch(system, options), options);
  } finally {
    for (const child of busy) child.kill('SIGKILL');
    await system?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Watched {
  readonly minutes: number;
  readonly cpuPercent: number;
  readonly cpuPercentByProcess: Readonly<Record<string, number>>;
  readonly statementsPerSecond: number;
  readonly roleChanges: number;
  /** Why the last tenure of each node ended, where it did. */
  readonly demotions: readonly string[];
}

async function watch(system: LocalSystem, options: IdleOptions): Promise<Watched> {
  const client = new pg.Client({ connectionString: system.postgres.url });
  await client.connect();
  try {
    const pids = await processesOf(system);
    const before = { cpu: cpuOf(pids), statements: await transactions(client), at: Date.now() };
    const termBefore = await highestTerm(client);
    await delay(options.minutes * 60_000);
    const seconds = (Date.now() - before.at) / 1_000;
    const after = { cpu: cpuOf(pids), statements: await transactions(client) };
    const byProcess = Object.fromEntries(
      [...pids.keys()].map((name) => {
        const spentMs = Math.max(0, (after.cpu.get(name) ?? 0) - (before.cpu.get(name) ?? 0));
        return [name, round(spentMs / 10 / seconds)];
      }),
    );
    return {
      minutes: options.minutes,
      cpuPercent: round(Object.values(byProcess).reduce((sum, percent) => sum + percent, 0)),
      cpuPercentByProcess: byProcess,
      statementsPerSecond: round((after.statements - before.statements) / seconds),
      roleChanges: Number((await highestTerm(client)) - termBefore),
      demotions: await demotionsOf(system),
    };
  } finally {
    await client.end();
  }
}

function report(watched: Watched, options: IdleOptions): number {
  const complaints = watched.roleChanges > 0 ? [`${watched.roleChanges} role changes`] : [];
  if (options.load === 0 && watched.cpuPercent > MOST_CPU_PERCENT) {
    complaints.push(`both hosts cost more than ${MOST_CPU_PERCENT} % of a core`);
  }
  if (options.load === 0 && watched.statementsPerSecond > MOST_STATEMENTS_A_SECOND) {
    complaints.push(`more than ${MOST_STATEMENTS_A_SECOND} statements a second`);
  }
  print(`${options.minutes} minutes, ${options.load} busy loops beside the pair`);
  for (const [name, percent] of Object.entries(watched.cpuPercentByProcess)) {
    print(`  ${name.padEnd(20)} ${percent} % of a core`);
  }
  print(`  both hosts           ${watched.cpuPercent} % of a core`);
  print(`  the database         ${watched.statementsPerSecond} statements a second`);
  print(`  role changes         ${watched.roleChanges}`);
  for (const demotion of watched.demotions) print(`  ${demotion}`);
  for (const complaint of complaints) print(`broken: ${complaint}`);
  print(JSON.stringify({ ...watched, load: options.load, complaints }));
  return complaints.length === 0 ? 0 : 1;
}

async function processesOf(system: LocalSystem): Promise<ReadonlyMap<string, number>> {
  const pids = new Map<string, number>();
  for (const host of system.hosts) {
    if (host.process.pid !== null) pids.set(`heartbeat of ${host.node}`, host.process.pid);
    const answer = await askHeartbeat(host.heartbeatUrl, 1_000);
    const pid = answer.kind === 'answered' ? answer.status.controller?.pid : null;
    if (pid !== null && pid !== undefined) pids.set(`controller of ${host.node}`, pid);
  }
  return pids;
}

async function demotionsOf(system: LocalSystem): Promise<readonly string[]> {
  const answers = await Promise.all(
    system.hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)),
  );
  return answers.flatMap((each) => {
    const last = each.kind === 'answered' ? each.status.lastDemotion : null;
    return last === null || last === undefined
      ? []
      : [
          `${each.kind === 'answered' ? each.status.node : '?'} at ${last.at}: ${last.reason}, ${last.detail}`,
        ];
  });
}

/** Processor time of each process so far, in milliseconds; of one that has ended, none. */
function cpuOf(pids: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map(
    [...pids].map(([name, pid]) => {
      const stat = readProc(`/proc/${pid}/stat`);
      if (stat === null) return [name, 0];
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [name, (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK];
    }),
  );
}

/** Transactions of the pair's database: an idle pair sends single statements, each its own transaction. */
async function transactions(client: pg.Client): Promise<number> {
  // The server's counters lag behind by up to a second, the same at both ends of the measurement.
  const { rows } = await client.query<{ count: string }>(
    'select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()',
  );
  return Number(rows[0]?.count ?? 0);
}

async function highestTerm(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ term: string }>('select term from understudy.lease');
  return BigInt(rows[0]?.term ?? '0');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const program = new Command('bench:idle')
  .description('What a pair costs while it has nothing to do, and whether its roles stay.')
  .option('--minutes <n>', 'how long to watch', Number, 1)
  .option('--load <n>', 'busy loops beside the pair', Number, 0)
  .option('--port-base <n>', 'the first of the ports to use', Number, 27_900);

try {
  program.parse();
  process.exitCode = await benchIdle(program.opts<IdleOptions>());
} catch (error) {
  process.stderr.write(`bench:idle: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
