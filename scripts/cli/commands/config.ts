import { formatDurationMs } from '@understudy/shared/kernel/duration';
import { describeConfig } from '@understudy/shared/runtime/config/describe';
import type { Timers } from '@understudy/shared/runtime/config/types';
import type { Command } from 'commander';
import { sourcesFor } from '../context.ts';
import { print, printJson, table } from '../output.ts';

/** `config check` and `config print`. Both exit with 78 when the configuration is bad. */
export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('look at the configuration of this host');
  config
    .command('check')
    .description('validate; every error at once, exit code 78')
    .action((_options: unknown, command: Command) => {
      const sources = sourcesFor(command);
      const { host } = describeConfig(sources);
      print(`${sources.file ?? 'the environment'} is a good configuration of a ${host} host`);
    });
  config
    .command('print')
    .description('every effective value, where it came from, and the derived timers')
    .option('--json', 'as JSON')
    .action((options: { json?: true }, command: Command) => {
      const description = describeConfig(sourcesFor(command));
      if (options.json) return printJson(description);
      const rows = description.keys.map(({ key, value, source }) => [key, show(value), source]);
      print(table(['KEY', 'VALUE', 'FROM'], rows));
      if (description.timers !== null) print(`\n${timersTable(description.timers)}`);
    });
}

function show(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function timersTable(timers: Timers): string {
  const rows: [string, string, string][] = [
    ['T', formatDurationMs(timers.ttlMs), 'lease.ttl: how long a grant or a renewal lasts'],
    ['P', formatDurationMs(timers.renewEveryMs), 'lease.renewEvery: time between renewals'],
    [
      'R',
      formatDurationMs(timers.callTimeoutMs),
      'lease.callTimeout: time limit of one call to the store',
    ],
    [
      'M',
      formatDurationMs(timers.marginMs),
      'lease.margin: kept back between trust here and expiry there',
    ],
    [
      'poll',
      formatDurationMs(timers.pollEveryMs),
      'lease.pollEvery: how often a passive reads the lease',
    ],
    [
      'S',
      formatDurationMs(timers.activateWithinMs),
      'failover.activateWithin: from grant to serving',
    ],
    ['G', formatDurationMs(timers.killWithinMs), 'failover.killWithin: to kill a controller'],
    ['rho', `${timers.clockRateBound * 100} %`, 'by how much clock rates may differ'],
    [
      'worst',
      formatDurationMs(timers.worstCaseMs),
      'T (1 + rho) + poll + 2R + S: longest time without an active',
    ],
  ];
  return table(['TIMER', 'VALUE', 'MEANING'], rows);
}
