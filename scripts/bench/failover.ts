import { formatDurationMs, parseDurationMs } from '@understudy/shared/kernel/duration';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Command, InvalidArgumentError } from 'commander';
import { print } from '../cli/output.ts';
import { whyNoHosts } from '../hosts/why-no-hosts.ts';
import { stopOnSignals } from '../local/stop-signals.ts';
import { hostsScenarios } from './hosts/all.ts';
import { openHostsStage } from './hosts/stage.ts';
import { watchRival } from './hosts/watch-rival.ts';
import { startProber } from './prober.ts';
import { type Played, repeat } from './repeat.ts';
import { figureTable, isKept, summarise } from './report.ts';
import { hostsRivals, rivals } from './rivals/all.ts';
import { compare, rivalTable } from './rivals/compare.ts';
import { measureRival, type RivalFigure } from './rivals/measure.ts';
import { missingProgram, type Rival, type RivalPair } from './rivals/rival.ts';
import { scenarios } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { openStage, type StagedPair } from './stage.ts';

interface BenchOptions {
  readonly times: number;
  readonly only?: readonly string[];
  /** Their names; `none` alone: no rival. */
  readonly rivals?: readonly string[];
  readonly hosts?: true;
  readonly target: number;
  readonly portBase: number;
  readonly jobs: number;
  /** Requests a second on each way, on hosts. */
  readonly rate: number;
  readonly logs?: string;
}

type Closers = Set<() => Promise<void>>;

/**
 * Measures how long users wait when something happens to a pair, beside what is promised, and checks that
 * no run is lost or doubled by it. Starts systems of its own in temporary folders. Exit code 1 when a
 * promise was broken, or when a run was lost, doubled, or left running.
 */
async function benchFailover(options: BenchOptions): Promise<number> {
  const missing = options.hosts ? (whyNoHosts() ?? missingProgram('haproxy')) : null;
  if (missing !== null) throw new UserError(`--hosts is not possible here: ${missing}`);
  const open: Closers = new Set();
  stopOnSignals().addEventListener('abort', () => {
    const closed = Promise.allSettled([...open].map((close) => close()));
    void closed.finally(() => process.exit(1));
  });
  const played = options.hosts ? await playOnHosts(options, open) : await playHere(options, open);
  const measured = await measureRivals(options, open);
  return report(played, measured, options);
}

async function playHere(options: BenchOptions, open: Closers): Promise<readonly Played[]> {
  const played: Played[] = [];
  const all = chosenOf('--only', scenarios, options.only);
  for (const isProxied of [false, true]) {
    const chosen = all.filter((scenario) => scenario.isProxied === isProxied);
    if (chosen.length === 0) continue;
    const opening = openStage({ ...options, targetMs: options.target, isProxied });
    played.push(...(await playOn(opening, chosen, { times: options.times, open })));
  }
  return played;
}

async function playOnHosts(options: BenchOptions, open: Closers): Promise<readonly Played[]> {
  const chosen = chosenOf('--only', hostsScenarios, options.only);
  const opening = openHostsStage({
    ...{ ...options, targetMs: options.target, perSecond: options.rate },
  });
  return await playOn(opening, chosen, { times: options.times, open });
}

async function playOn<S extends StagedPair>(
  opening: Promise<S>,
  chosen: readonly Scenario<S>[],
  { times, open }: { readonly times: number; readonly open: Closers },
): Promise<readonly Played[]> {
  const played: Played[] = [];
  const close = async () => (await opening).close();
  open.add(close);
  const stage = await opening;
  try {
    for (const scenario of chosen) played.push(await repeat(scenario, stage, times));
  } finally {
    await close();
    open.delete(close);
  }
  return played;
}

/** Where only some scenarios were asked for, rivals are measured only when they are asked for, too. */
async function measureRivals(
  { times, only, hosts, rate, rivals: asked }: BenchOptions,
  open: Closers,
): Promise<readonly RivalFigure[]> {
  const figures: RivalFigure[] = [];
  const usual = hosts ? hostsRivals : rivals;
  const watch = hosts
    ? (pair: RivalPair) => watchRival(pair, rate)
    : ({ targets }: RivalPair) => startProber({ targets, path: '/', token: '' });
  const unasked = only === undefined ? usual : [];
  for (const rival of asked === undefined ? unasked : rivalsNamed(asked)) {
    const missing = rival.missing();
    if (missing !== null) {
      print(`${rival.title} was not measured: ${missing}`);
      continue;
    }
    const say = (line: string) => process.stderr.write(`${line}\n`);
    figures.push(...(await measureRival(rival, { times, say, watch, open })));
  }
  return figures;
}

function report(
  played: readonly Played[],
  measured: readonly RivalFigure[],
  { target }: BenchOptions,
): number {
  const figures = played.flatMap((each) => each.figures);
  const complaints = played.flatMap((each) => each.complaints);
  print(`failover.target ${formatDurationMs(target)}`);
  print(figureTable(figures));
  for (const complaint of complaints) print(`complaint: ${complaint}`);
  if (measured.length > 0) print(`\n${rivalTable(measured, figures)}`);
  const compared = measured.map((rival) => compare(rival, figures));
  const summary = {
    targetMs: target,
    figures: figures.map(summarise),
    rivals: compared,
    complaints,
  };
  print(JSON.stringify(summary));
  return complaints.length === 0 && figures.every(isKept) ? 0 : 1;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}

function duration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null) throw new InvalidArgumentError('expected a duration, like 1s');
  return ms;
}

function chosenOf<T extends { readonly name: string }>(
  option: string,
  all: readonly T[],
  names: readonly string[] | undefined,
): readonly T[] {
  return (names ?? all.map(({ name }) => name)).map((name) => {
    const found = all.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new UserError(`${option} names "${name}"; expected some of ${namesOf(all)}`);
  });
}

function listed(text: string): readonly string[] {
  return text.split(',').map((name) => name.trim());
}

function rivalsNamed(names: readonly string[]): readonly Rival[] {
  return names.join() === 'none' ? [] : chosenOf('--rivals', rivals, names);
}

function namesOf(all: readonly { readonly name: string }[]): string {
  return all.map((each) => each.name).join(',');
}

const program = new Command('bench:failover')
  .description('how long users wait when something happens to a pair, beside what is promised')
  .option('--times <count>', 'rounds of each', whole, 10)
  .option(
    '--hosts',
    'on hosts in network namespaces, through a virtual IP and HAProxy; needs root, and haproxy and keepalived',
  )
  .option(
    '--only <names>',
    `some of ${namesOf(scenarios)}; with --hosts some of ${namesOf(hostsScenarios)}`,
    listed,
  )
  .option('--rivals <names>', `none, or some of ${namesOf(rivals)}`, listed)
  .option('--target <duration>', 'failover.target of the pair', duration, 2_000)
  .option('--port-base <port>', 'six ports from this one on, without --hosts', whole, 7500)
  .option('--rate <count>', 'requests a second on each way, with --hosts', whole, 100)
  .option('--jobs <count>', 'runs under way at each fault', whole, 20)
  .option('--logs <folder>', 'leaves the logs of the systems there');
program.parse();
try {
  process.exitCode = await benchFailover(program.opts<BenchOptions>());
} catch (error) {
  process.stderr.write(`bench:failover: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
