import { formatDurationMs, parseDurationMs } from '@understudy/shared/kernel/duration';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Command, InvalidArgumentError } from 'commander';
import { print } from '../cli/output.ts';
import { stopOnSignals } from '../local/stop-signals.ts';
import { type Figure, figureTable, isKept, summarise } from './report.ts';
import { rivals } from './rivals/all.ts';
import { compare, rivalTable } from './rivals/compare.ts';
import { measureRival, type RivalFigure } from './rivals/measure.ts';
import type { Rival } from './rivals/rival.ts';
import { scenarios } from './scenarios/all.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { openStage, type Stage } from './stage.ts';

interface BenchOptions {
  readonly times: number;
  readonly only?: readonly Scenario[];
  readonly rivals?: readonly Rival[];
  readonly target: number;
  readonly portBase: number;
  readonly jobs: number;
  readonly logs?: string;
}

type Closers = Set<() => Promise<void>>;

interface Played {
  readonly figures: readonly Figure[];
  readonly complaints: readonly string[];
}

/**
 * Measures how long users wait when something happens to a pair, beside what is promised, and checks that
 * no run is lost or doubled by it. Starts systems of its own in temporary folders. Exit code 1 when a
 * promise was broken, or when a run was lost, doubled, or left running.
 */
async function benchFailover(options: BenchOptions): Promise<number> {
  const open: Closers = new Set();
  stopOnSignals().addEventListener('abort', () => {
    const closed = Promise.allSettled([...open].map((close) => close()));
    void closed.finally(() => process.exit(1));
  });
  const played = await playAll(options, open);
  const measured = await measureRivals(options, open);
  return report(played, measured, options);
}

async function playAll(options: BenchOptions, open: Closers): Promise<readonly Played[]> {
  const played: Played[] = [];
  for (const isProxied of [false, true]) {
    const all = options.only ?? scenarios;
    const chosen = all.filter((scenario) => scenario.isProxied === isProxied);
    if (chosen.length === 0) continue;
    const opening = openStage({ ...options, targetMs: options.target, isProxied });
    const close = async () => (await opening).close();
    open.add(close);
    const stage = await opening;
    try {
      for (const scenario of chosen) played.push(await repeat(scenario, stage, options.times));
    } finally {
      await close();
      open.delete(close);
    }
  }
  return played;
}

/** Where only some scenarios were asked for, rivals are measured only when they are asked for, too. */
async function measureRivals(
  { times, only, rivals: asked }: BenchOptions,
  open: Closers,
): Promise<readonly RivalFigure[]> {
  const figures: RivalFigure[] = [];
  for (const rival of asked ?? (only === undefined ? rivals : [])) {
    const missing = rival.missing();
    if (missing !== null) {
      print(`${rival.title} was not measured: ${missing}`);
      continue;
    }
    const say = (line: string) => process.stderr.write(`${line}\n`);
    figures.push(...(await measureRival(rival, { times, say, open })));
  }
  return figures;
}

async function repeat(scenario: Scenario, stage: Stage, times: number): Promise<Played> {
  const { name, title, measures } = scenario;
  const values: (readonly number[])[] = [];
  const complaints: string[] = [];
  for (let round = 1; round <= times; round += 1) {
    const played = await scenario.play(stage, round);
    values.push(played.values.map((value) => Math.round(value * 10) / 10));
    const shown = measures.map(({ unit }, index) => `${values.at(-1)?.[index]} ${unit}`).join(', ');
    process.stderr.write(`${title}, ${round} of ${times}: ${shown}\n`);
    for (const line of played.complaints) {
      process.stderr.write(`  ${line}\n`);
      complaints.push(`${name}, round ${round}: ${line}`);
    }
  }
  const figures = measures.map(
    (measure, index): Figure => ({
      ...{ scenario: name, measure: measure.name, title: measure.title, unit: measure.unit },
      values: values.map((each) => each[index] ?? Number.NaN),
      most: measure.most(stage),
    }),
  );
  return { figures, complaints };
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

function someOf<T extends { readonly name: string }>(all: readonly T[]) {
  return (text: string): readonly T[] =>
    text.split(',').map((name) => {
      const found = all.find((each) => each.name === name.trim());
      if (found !== undefined) return found;
      throw new InvalidArgumentError(`expected some of ${namesOf(all)}`);
    });
}

function namesOf(all: readonly { readonly name: string }[]): string {
  return all.map((each) => each.name).join(',');
}

const chosenRivals = (text: string) => (text === 'none' ? [] : someOf(rivals)(text));
const program = new Command('bench:failover')
  .description('how long users wait when something happens to a pair, beside what is promised')
  .option('--times <count>', 'rounds of each', whole, 10)
  .option('--only <names>', `some of ${namesOf(scenarios)}`, someOf(scenarios))
  .option('--rivals <names>', `none, or some of ${namesOf(rivals)}`, chosenRivals)
  .option('--target <duration>', 'failover.target of the pair', duration, 2_000)
  .option('--port-base <port>', 'six ports from this one on', whole, 7500)
  .option('--jobs <count>', 'runs under way at each fault', whole, 20)
  .option('--logs <folder>', 'leaves the logs of the systems there');
program.parse();
try {
  process.exitCode = await benchFailover(program.opts<BenchOptions>());
} catch (error) {
  process.stderr.write(`bench:failover: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
