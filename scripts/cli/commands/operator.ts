import { parseDurationMs } from '@understudy/shared/kernel/duration';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { orderForce, seeForForce } from '../client/force-call.ts';
import { orderPause, orderSwitchOver, type Switched } from '../client/operator-call.ts';
import { confirmByName } from '../confirm.ts';
import { pairConfigFor, timeoutOf } from '../context.ts';
import { whatForceCosts } from '../explain/force.ts';
import { showLeft } from '../explain/warnings.ts';
import { print, printJson, showTerm } from '../output.ts';

/** `switchover`, `pause`, `resume`: what an operator asks of the pair. */
export function addOperatorCommands(program: Command): void {
  addSwitchOver(program);
  addPause(program);
  addResume(program);
}

function addSwitchOver(program: Command): void {
  program
    .command('switchover')
    .description('moves the active role to the other node; exit 1 and a reason if refused')
    .option('--to <node>', 'the node that is to be active (default: whichever is ready)')
    .option('--force', 'that node takes the role at once, whoever has it: requests may fail')
    .option('--yes <pair>', 'with --force: the name of the pair, instead of typing it')
    .option('--json', 'as JSON')
    .action(async (options: SwitchOverFlags, command: Command) => {
      const config = pairConfigFor(command);
      const timeoutMs = timeoutOf(command);
      const switched = options.force
        ? await force(config, options, timeoutMs)
        : await orderSwitchOver(config, { to: options.to ?? null, timeoutMs });
      if (options.json) return printJson(switched);
      const { from, to, term, interruptedMs } = switched;
      const cost = interruptedMs === null ? 'not measured' : `${Math.round(interruptedMs)} ms`;
      print(`${from} -> ${to}, term ${showTerm(term)}, interrupted ${cost}`);
    });
}

interface SwitchOverFlags {
  readonly to?: string;
  readonly force?: true;
  readonly yes?: string;
  readonly json?: true;
}

async function force(
  config: ControllerHostConfig,
  { to, yes }: SwitchOverFlags,
  timeoutMs: number,
): Promise<Switched> {
  if (to === undefined) throw new UserError('--force needs --to NODE: which one is to be active');
  const seen = await seeForForce(config, to, timeoutMs);
  const { pair } = config;
  await confirmByName({ text: whatForceCosts(config, seen), pair, given: yes ?? null });
  return await orderForce(config, seen, timeoutMs);
}

function addPause(program: Command): void {
  program
    .command('pause')
    .description('no automatic fail-over for a while: maintenance; ends by itself')
    .option('--for <duration>', 'for so long', '30m')
    .option('--json', 'as JSON')
    .action(async (options: { for: string; json?: true }, command: Command) => {
      const config = pairConfigFor(command);
      const forMs = parseDurationMs(options.for);
      if (forMs === null) {
        throw new UserError(
          `--for holds "${options.for}"; expected a duration like 90s, 30m or 2h`,
        );
      }
      const pausedForMs = await orderPause(config, forMs, timeoutOf(command));
      if (options.json) return printJson({ pausedForMs });
      print(`paused for ${showLeft(pausedForMs ?? 0)}; \`understudy resume\` ends it sooner`);
    });
}

function addResume(program: Command): void {
  program
    .command('resume')
    .description('ends the pause')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const config = pairConfigFor(command);
      const pausedForMs = await orderPause(config, null, timeoutOf(command));
      if (options.json) return printJson({ pausedForMs });
      print('not paused');
    });
}
