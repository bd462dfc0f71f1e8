import type { Command } from 'commander';
import { addInstallLbCommand } from './lb.ts';

/** `install ...`: what has to stand around the pair, written from its configuration. */
export function addInstallCommand(program: Command): void {
  const install = program
    .command('install')
    .description('write what stands around the pair, from its configuration');
  for (const add of [addInstallLbCommand]) add(install);
}
