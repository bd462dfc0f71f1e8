import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Fleet, type Joined } from '../agents/fleet.ts';
import type { Figure } from '../figures.ts';
import { type Measure, onStage, type WorkOptions } from '../measure.ts';
import { processorMs, residentMb } from '../processor-time.ts';
import { type Stage, until, untilConnected } from '../stage.ts';

/** Agents are simulated by so many processes at most, each with so many. */
const IN_ONE_PROCESS = 5_000;
const SETTLE_MS = 5_000;
const WATCH_MS = 20_000;
const REPOINTED_WITHIN_MS = 60_000;
/** Two connections each, at either end, and something for the rest. */
const FILES = 65_536;

/** What agents cost that have nothing to do, and how soon all follow the next controller. */
export const thousandAgents = agentsMeasure('agents', 1_000, { idle: 10, repointed: 2_000 });
export const tenThousandAgents = agentsMeasure('agents-10000', 10_000, {});

interface Targets {
  readonly idle?: number;
  readonly repointed?: number;
}

function agentsMeasure(name: string, count: number, targets: Targets): Measure {
  const shown = count.toLocaleString('en');
  const title = (what: string) => `${shown} idle agents: ${what}`;
  return {
    name,
    title: `${shown} agents that have nothing to do, and a fail-over`,
    isOnlyIfAsked: false,
    play: async (options) => {
      allowFiles();
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
        figure('memory of the controller', 'MB', (r) => r.residentMb),
        figure('until all are connected', 'ms', (r) => r.connectedMs),
        figure('fail-over until all are repointed', 'ms', (r) => r.repointedMs, targets.repointed),
      ] satisfies Figure[];
    },
  };
}

interface Round {
  readonly connectedMs: number;
  readonly idlePercent: number;
  readonly residentMb: number;
  readonly repointedMs: number;
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
      const [before, from] = [processorMs(pid), nowMs()];
      await delay(WATCH_MS);
      const idlePercent = ((processorMs(pid) - before) / (nowMs() - from)) * 100;
      const memory = residentMb(pid);
      return {
        connectedMs,
        idlePercent,
        residentMb: memory,
        repointedMs: await failOver(stage, fleets, count),
      };
    } finally {
      await Promise.all(fleets.map((fleet) => fleet.stop()));
    }
  });
}

/** Kills the active controller; how long it takes until the last agent follows the next one. */
async function failOver(stage: Stage, fleets: readonly Fleet[], count: number): Promise<number> {
  const { controllerPid, term } = stage.active;
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
  return Math.max(...there.map(({ atMs }) => atMs)) - killedAt;
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
