import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { statusesOf } from '../../pair.ts';
import { Fleet, type Joined } from '../agents/fleet.ts';
import { type Figure, quantile } from '../figures.ts';
import { type Measure, onStage, type WorkOptions } from '../measure.ts';
import { processorMs, residentMb } from '../processor-time.ts';
import { type Stage, until, untilConnected } from '../stage.ts';

/** Agents are simulated by so many processes at most, each with so many. */
const IN_ONE_PROCESS = 5_000;
const SETTLE_MS = 5_000;
const WATCH_MS = 20_000;
const REPOINTED_WITHIN_MS = 60_000;
/** Each has two connections, and either end has to do with other things. */
const FILES_OF_AGENT = 2;
const OTHER_FILES = 500;
const FILES = 65_536;

/** What agents cost that have nothing to do, and how soon all follow the next controller. */
export const thousandAgents = agentsMeasure('agents', 1_000, {
  ...{ idle: 10, repointed: 2_000, lost: 0 },
});
export const tenThousandAgents = agentsMeasure('agents-10000', 10_000, {});

interface Targets {
  readonly idle?: number;
  readonly repointed?: number;
  readonly lost?: number;
}

function agentsMeasure(name: string, wanted: number, targets: Targets): Measure {
  return {
    name,
    title: `${wanted.toLocaleString('en')} agents that have nothing to do, and a fail-over`,
    isOnlyIfAsked: false,
    play: async (options) => {
      allowFiles();
      const possible = Math.floor((filesAllowed() - OTHER_FILES) / FILES_OF_AGENT);
      const count = Math.min(wanted, possible);
      const shown = count.toLocaleString('en');
      if (count < wanted) options.say(`this host allows open files for ${shown} agents, no more`);
      const title = (what: string) => `${shown} idle agents: ${what}`;
      const rounds: Round[] = [];
      for (let round = 1; round <= options.times; round += 1) {
        rounds.push(await playRound(options, count));
        options.say(
          `${shown} agents, ${round} of ${options.times}: ${JSON.stringify(rounds.at(-1))}`,
        );
      }
      const figure = (
        what: string,
        unit: string,
        of: (round: Round) => number,
        atMost?: number,
      ) => ({
        ...{ measure: name, title: title(what), unit, values: rounds.map(of) },
        ...(atMost === undefined ? {} : { target: { atMost } }),
      });
      return [
        figure('processor of the controller', '% of a core', (r) => r.idlePercent, targets.idle),
        figure('processor of the simulation', '% of a core', (r) => r.fleetPercent),
        figure('memory of the controller', 'MB', (r) => r.residentMb),
        figure('until all are connected', 'ms', (r) => r.connectedMs),
        figure('fail-over until half of them are repointed', 'ms', (r) => r.halfMs),
        figure('fail-over until all are repointed', 'ms', (r) => r.repointedMs, targets.repointed),
        figure('processor of the next controller by then', 'ms', (r) => r.repointCostMs),
        figure('processor of the simulation by then', 'ms', (r) => r.fleetCostMs),
        figure('declared lost', 'agents', (r) => r.lost, targets.lost),
        figure('terms granted by the fail-over', 'terms', (r) => r.terms, 1),
      ] satisfies Figure[];
    },
  };
}

interface Round extends Repointed {
  readonly connectedMs: number;
  readonly idlePercent: number;
  readonly fleetPercent: number;
  readonly residentMb: number;
}

/** How a fail-over went for the agents. */
interface Repointed {
  readonly halfMs: number;
  readonly repointedMs: number;
  readonly repointCostMs: number;
  readonly fleetCostMs: number;
  readonly lost: number;
  /** More than one: the crowd has moved the role. */
  readonly terms: number;
}

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

function playRound(options: WorkOptions, count: number): Promise<Round> {
  return onStage(options, { agents: 0 }, async (stage) => {
    const startedAt = nowMs();
    const { token, controllerPorts: ports } = stage;
    const fleets: Fleet[] = [];
    try {
      for (let from = 0; from < count; from += IN_ONE_PROCESS) {
        const size = Math.min(IN_ONE_PROCESS, count - from);
        fleets.push(new Fleet({ count: size, prefix: `sim-${from}-`, ports, token, slots: 8 }));
      }
      await untilConnected(stage, count);
      const connectedMs = nowMs() - startedAt;
      await delay(SETTLE_MS);
      const pid = stage.active.controllerPid;
      const spent = () => [processorMs(pid), costOf(fleets), nowMs()] as const;
      const before = spent();
      await delay(WATCH_MS);
      const after = spent();
      const watchedMs = after[2] - before[2];
      return {
        connectedMs,
        idlePercent: ((after[0] - before[0]) / watchedMs) * 100,
        fleetPercent: ((after[1] - before[1]) / watchedMs) * 100,
        residentMb: residentMb(pid),
        ...(await failOver(stage, fleets, count)),
      };
    } finally {
      await Promise.all(fleets.map((fleet) => fleet.stop()));
    }
  });
}

/** Kills the active controller, and waits until the last agent follows the next one. */
async function failOver(stage: Stage, fleets: readonly Fleet[], count: number): Promise<Repointed> {
  const { controllerPid, term } = stage.active;
  const next = await passivePid(stage);
  const costs = () => [next === null ? 0 : processorMs(next), costOf(fleets)] as const;
  const before = costs();
  const killedAt = nowMs();
  process.kill(controllerPid, 'SIGKILL');
  let there: readonly Joined[] = [];
  const areRepointed = async () => {
    const joined = (await Promise.all(fleets.map((fleet) => fleet.joined()))).flat();
    there = joined.filter((each) => BigInt(each.term) > BigInt(term));
    return there.length === count;
  };
  try {
    await until('all agents follow the next controller', areRepointed, REPOINTED_WITHIN_MS);
  } catch (error) {
    throw new UserError(`${messageOf(error)}; ${there.length} of ${count} do`);
  }
  const after = costs();
  const late = there.map(({ atMs }) => atMs - killedAt);
  const newest = there.reduce(
    (most, each) => (BigInt(each.term) > most ? BigInt(each.term) : most),
    0n,
  );
  const { rows } = await stage.database.query<{ lost: string }>(
    `select count(*) as lost from event where kind = 'agent-lost'`,
  );
  return {
    halfMs: quantile(late, 0.5),
    repointedMs: Math.max(...late),
    repointCostMs: after[0] - before[0],
    fleetCostMs: after[1] - before[1],
    lost: Number(rows[0]?.lost ?? 0),
    terms: Number(newest - BigInt(term)),
  };
}

/** The controller that will serve next; null: its heartbeat does not say. */
async function passivePid({ system, active }: Stage): Promise<number | null> {
  const statuses = await statusesOf(system);
  return statuses.find(({ node }) => node !== active.host.node)?.controller?.pid ?? null;
}

/** Processor time that the simulation has used, in milliseconds. */
function costOf(fleets: readonly Fleet[]): number {
  return fleets.reduce((sum, { pid }) => sum + processorMs(pid), 0);
}

/** How many files a process of this user may have open. */
function filesAllowed(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** As far as this user may: what is started from now on inherits it. */
function allowFiles(): void {
  try {
    execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${FILES}:${FILES}`], {
      stdio: 'ignore',
    });
  } catch {
    // Then the limit that there is has to do; a system with fewer agents needs no more.
  }
}
