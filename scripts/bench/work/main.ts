import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { Command, InvalidArgumentError } from 'commander';
import { print, printJson } from '../../cli/output.ts';
import { stopOnSignals } from '../../local/stop-signals.ts';
import { measures } from './all.ts';
import { type Figure, figureTable, summarise } from './figures.ts';
import type { Measure, WorkOptions } from './measure.ts';

interface CommandOptions {
  readonly runs: number;
  readonly history: number;
  readonly times: number;
  readonly minutes: number;
  readonly rate: number;
  readonly portBase: number;
  readonly only?: readonly Measure[];
  readonly json?: boolean;
}

/**
 * Measures the work plane: runs a second, how soon an order is at its agent, what agents cost, and others'
 * queues and the machine itself beside it. Each measure has a system of its own in a temporary folder.
 */
async function benchWork(options: CommandOptions): Promise<number> {
  const open = new Set<() => Promise<void>>();
  stopOnSignals().addEventListener('abort', () => {
    const closed = Promise.allSettled([...open].map((close) => close()));
    void closed.finally(() => process.exit(1));
  });
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const work: WorkOptions = { ...options, say, open };
  const figures: Figure[] = [];
  const complaints: string[] = [];
  for (const measure of options.only ?? measures.filter(({ isOnlyIfAsked }) => !isOnlyIfAsked)) {
    say(measure.title);
    try {
      figures.push(...(await measure.play(work)));
    } catch (error) {
      complaints.push(`${measure.name}: ${messageOf(error)}`);
      say(`  ${complaints.at(-1)}`);
    }
  }
  if (options.json === true) printJson({ figures: figures.map(summarise), complaints });
  else {
    print(figureTable(figures));
    for (const complaint of complaints) print(`not measured: ${complaint}`);
  }
  return complaints.length === 0 ? 0 : 1;
}

function whole(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new InvalidArgumentError('expected a whole number above 0');
  }
  return Number(text);
}

function someOf(text: string): readonly Measure[] {
  return text.split(',').map((name) => {
    const found = measures.find((each) => each.name === name.trim());
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`expected some of ${names}`);
  });
}

const names = measures.map(({ name }) => name).join(',');
const program = new Command('bench:work')
  .description('runs a second, latencies, and what agents cost, beside other queues')
  .option('--runs <count>', 'runs of each round', whole, 100_000)
  .option('--times <count>', 'rounds of each', whole, 3)
  .option('--only <names>', `some of ${names}`, someOf)
  .option('--history <count>', 'runs of the long history', whole, 1_000_000)
  .option('--minutes <count>', 'how long memory is watched', Number, 3)
  // An hour of more would be a measurement of the disk.
  .option('--rate <count>', 'runs a second in that time', whole, 400)
  .option('--port-base <port>', 'six ports from this one on', whole, 27_800)
  .option('--json', 'figures as JSON');
program.parse();
try {
  process.exitCode = await benchWork(program.opts<CommandOptions>());
} catch (error) {
  process.stderr.write(`bench:work: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
