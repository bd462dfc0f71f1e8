import { fileURLToPath } from 'node:url';
import { loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import type { Command } from 'commander';
import { sourcesFor } from '../context.ts';
import { print } from '../output.ts';

/** `create`, `heartbeat` and `start`: what a controller host needs. */
export function addHostCommands(program: Command): void {
  program
    .command('create')
    .description('prepare the database: schema, lease, fence; can be repeated without harm')
    .action(async (_options: unknown, command: Command) => {
      const config = loadControllerHostConfig(sourcesFor(command));
      const { createPair } = await import('../create.ts');
      await createPair(config);
      print(`the database is ready for pair ${config.pair} (schema ${config.schema})`);
    });
  program
    .command('heartbeat')
    .alias('start')
    .description(
      'run this controller host in the foreground: the heartbeat, which runs the controller',
    )
    .action(async (_options: unknown, command: Command) => {
      const config = loadControllerHostConfig(sourcesFor(command));
      const { runHeartbeat } = await import('@understudy/heartbeat/main');
      const builtinController = fileURLToPath(import.meta.resolve('@understudy/controller/main'));
      process.exit(await runHeartbeat(config, { builtinController }));
    });
}
