import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';

interface LocalOptions {
  readonly data: string;
  readonly portBase?: string;
  readonly agents: string;
}

/** `local`: the whole system on this machine, for trying it out. */
export function addLocalCommand(program: Command): void {
  program
    .command('local')
    .description(
      'run a whole system on this machine: PostgreSQL, two controller hosts, agents, one address',
    )
    .option('--data <folder>', 'where everything is kept', '.understudy')
    .option(
      '--port-base <port>',
      'use six ports from this one on; the front is the first (default: 7300, 7301, 7302, 7401, 7402, 7432)',
    )
    .option('--agents <count>', 'so many worker hosts', '2')
    .action(async (options: LocalOptions) => {
      const { runLocal } = await import('../../local/main.ts');
      const code = await runLocal({
        data: options.data,
        portBase:
          options.portBase === undefined ? null : whole('--port-base', options.portBase, 1, 65_530),
        agents: whole('--agents', options.agents, 0, 20),
      });
      process.exit(code);
    });
}

function whole(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UserError(`${option} holds "${text}"; expected a whole number from ${min} to ${max}`);
}
