import type { Page } from '@understudy/shared/protocol/api';
import type { DeliveryView, HookView } from '@understudy/shared/protocol/hooks';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { allPages } from '../client/pages.ts';
import { apiFor } from '../context.ts';
import { print, printJson, showInstant, table } from '../output.ts';

interface SetOptions {
  readonly url: string;
  readonly event: readonly string[];
  readonly job: readonly string[];
  readonly secret?: string;
  readonly tryFor?: string;
  readonly giveUpAfter?: string;
}

interface DeliveriesOptions {
  readonly state?: string;
  readonly limit: string;
  readonly json?: true;
}

/** `hook`: who is told of what happens. */
export function addHookCommand(program: Command): void {
  const hook = program
    .command('hook')
    .description('web hooks: list, show, set, delete, deliveries');
  hook
    .command('list')
    .description('all hooks')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const request = { method: 'GET', path: '/hooks' } as const;
      const { items } = await apiFor(command).request<Page<HookView>>(request);
      if (options.json) printJson(items);
      else print(hookTable(items));
    });
  hook
    .command('show <name>')
    .description('one hook, as JSON')
    .action(async (name: string, _options: unknown, command: Command) => {
      printJson(await apiFor(command).request<HookView>({ method: 'GET', path: pathOf(name) }));
    });
  hook
    .command('set <name>')
    .description('create or replace a hook')
    .requiredOption('--url <url>', 'where to')
    .option('--event <event>', 'of what; may be repeated, or several with commas', collect, [])
    .option('--job <name>', 'of runs of this job only; may be repeated', collect, [])
    .option(
      '--secret <secret>',
      'signs what is sent; env:NAME reads it from the environment; none removes it',
    )
    .option('--try-for <duration>', 'time limit of one try')
    .option('--give-up-after <duration>', 'tried again for so long')
    .action(async (name: string, options: SetOptions, command: Command) => {
      const { url, event, job, secret, tryFor, giveUpAfter } = options;
      if (event.length === 0)
        throw new UserError('--event is missing; for instance --event run.failed');
      const body = {
        url,
        events: event,
        jobs: job.length === 0 ? null : job,
        ...(secret === undefined ? {} : { secret: secretOf(secret) }),
        ...(tryFor === undefined ? {} : { timeout: tryFor }),
        ...(giveUpAfter === undefined ? {} : { giveUpAfter }),
      };
      await apiFor(command).request({ method: 'PUT', path: pathOf(name), body });
      print(`${name} set`);
    });
  hook
    .command('delete <name>')
    .description('remove a hook; what it was still to be told is told to nobody')
    .action(async (name: string, _options: unknown, command: Command) => {
      await apiFor(command).request({ method: 'DELETE', path: pathOf(name) });
      print(`${name} deleted`);
    });
  hook
    .command('deliveries <name>')
    .description('what a hook was told, or is to be told, newest first')
    .option('--state <state>', 'pending, delivered or given-up')
    .option('--limit <count>', 'at most so many', '50')
    .option('--json', 'as JSON')
    .action(async (name: string, options: DeliveriesOptions, command: Command) => {
      const { state, limit, json } = options;
      if (!/^[1-9]\d{0,8}$/.test(limit)) {
        throw new UserError(`--limit holds "${limit}"; expected a whole number above 0`);
      }
      const path = `${pathOf(name)}/deliveries`;
      const found = await allPages<DeliveryView>(apiFor(command), path, { state }, Number(limit));
      if (json) printJson(found);
      else print(deliveryTable(found));
    });
}

function hookTable(hooks: readonly HookView[]): string {
  const rows = hooks.map(({ name, url, events, jobs, signed }) => [
    ...[name, url, events.join(','), jobs?.join(',') ?? 'all', signed ? 'yes' : 'no'],
  ]);
  return table(['HOOK', 'URL', 'EVENTS', 'JOBS', 'SIGNED'], rows);
}

function deliveryTable(deliveries: readonly DeliveryView[]): string {
  const rows = deliveries.map((each) => [
    ...[each.id, each.event, each.subject ?? '-', each.state, `${each.attempts}`],
    ...[showInstant(each.createdAt), showInstant(each.finishedAt ?? each.dueAt)],
    each.problem ?? (each.status === null ? '' : `${each.status}`),
  ]);
  const head = [
    'DELIVERY',
    'EVENT',
    'ABOUT',
    'STATE',
    'TRIES',
    'CREATED',
    'FINISHED OR DUE',
    'RESULT',
  ];
  return table(head, rows);
}

function secretOf(given: string): string | null {
  if (given === 'none') return null;
  const variable = /^env:(.+)$/.exec(given)?.[1];
  if (variable === undefined) return given;
  const value = process.env[variable];
  if (value !== undefined) return value;
  throw new UserError(
    `--secret holds ${given}, but the environment variable ${variable} is not set`,
  );
}

function pathOf(name: string): string {
  return `/hooks/${encodeURIComponent(name)}`;
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, ...value.split(',')];
}
