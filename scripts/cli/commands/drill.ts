import { UserError } from '@understudy/shared/runtime/errors';
import { Argument, type Command } from 'commander';
import { askAtTerminal } from '../confirm.ts';
import { loadPairConfig, sourcesFor } from '../context.ts';
import { print, printJson } from '../output.ts';

interface DrillCommandOptions {
  readonly yes?: true;
  readonly json?: true;
  readonly url: readonly string[];
}

// Named here as well, so that the help does not load the drills.
const KINDS = ['crash', 'freeze', 'host-loss', 'switchover', 'database'] as const;

/** `drill`: a failure for real, and whether the promise was kept. */
export function addDrillCommand(program: Command): void {
  program
    .command('drill')
    .addArgument(new Argument('<kind>', 'what is done to the active node').choices(KINDS))
    .description(
      'does a failure for real to the running pair, measures it, and says whether the promise was kept; exit 0: kept, 1: broken or not done',
    )
    .option('--yes', 'does not ask')
    .option(
      '--url <url>',
      "what users ask, to be measured; may be repeated (default: the controllers' own URLs)",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    )
    .option('--json', 'as JSON')
    .action(
      async (kind: (typeof KINDS)[number], options: DrillCommandOptions, command: Command) => {
        const sources = sourcesFor(command);
        const config = loadPairConfig(sources);
        const { runDrill } = await import('../../drill/drill.ts');
        const say = (line: string) => void process.stderr.write(`${line}\n`);
        const result = await runDrill({
          ...{ kind, config, configFile: sources.file, urls: options.url.map(parseUrl), say },
          confirm: (announcement) => confirm(announcement, config.pair, options.yes === true),
          breakOff: brokenOff(),
        });
        process.exitCode = result.kept ? 0 : 1;
        if (options.json) return printJson(result);
        const { from, to, measuredMs, promisedMs, measuredByPairMs, answered, failed } = result;
        print(
          `${from} -> ${to ?? 'nobody'}; asked ${answered + failed} times, ${answered} answered`,
        );
        const pairSays =
          measuredByPairMs === null ? '' : ` (the pair itself says ${measuredByPairMs} ms)`;
        print(`measured: ${measuredMs} ms without an answer${pairSays}`);
        print(`promised: at most ${promisedMs} ms`);
        print(
          result.kept
            ? 'the promise was KEPT'
            : `the promise was BROKEN: ${result.complaints.join('; ')}`,
        );
      },
    );
}

async function confirm(announcement: string, pair: string, isSure: boolean): Promise<boolean> {
  process.stderr.write(`${announcement}\n`);
  if (isSure) return true;
  const typed = await askAtTerminal(`Type the pair's name to do it: `);
  if (typed !== null) return typed === pair;
  throw new UserError('nothing was done: nobody can be asked here, --yes does it without asking');
}

/** Ctrl-C in the middle of a drill: what it left behind is put right first. */
function brokenOff(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      controller.abort();
      process.exit(1);
    });
  }
  return controller.signal;
}

function parseUrl(text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text);
  throw new UserError(`--url holds "${text}"; expected a URL like http://10.0.0.10:7300/`);
}
