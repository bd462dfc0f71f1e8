import type { Command } from 'commander';
import { addInstallAgentCommand } from './agent.ts';
import { addInstallControllerCommand } from './controller.ts';
import { addInstallLbCommand } from './lb.ts';

/** `install ...`: what has to stand around the pair, written from its configuration. */
export function addInstallCommand(program: Command): void {
  const install = program
    .command('install')
    .description('write what stands around the pair: services, configuration, load balancers');
  for (const add of [addInstallControllerCommand, addInstallAgentCommand, addInstallLbCommand]) {
    add(install);
  }
}
