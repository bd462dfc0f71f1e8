import { parseDurationMs } from '@understudy/shared/kernel/duration';
import type { Page, Run, RunStep } from '@understudy/shared/protocol/api';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { followLog, readLog } from '../client/follow-log.ts';
import { allPages } from '../client/pages.ts';
import { apiFor } from '../context.ts';
import { print, printJson, showInstant, showTerm, table } from '../output.ts';
import { addRunSubmitCommand } from './run-submit.ts';

interface ListOptions {
  readonly job?: string;
  readonly state: readonly string[];
  readonly agent?: string;
  readonly since?: string;
  readonly until?: string;
  readonly search?: string;
  readonly limit: string;
  readonly json?: true;
}

/** `run`: what ran, runs, or will run. */
export function addRunCommand(program: Command): void {
  const run = program
    .command('run')
    .description('runs: list, show, history, logs, cancel, retry, submit');
  run
    .command('list')
    .description('runs, newest first')
    .option('--job <name>', 'of one job')
    .option(
      '--state <state>',
      'in this state; may be repeated, or several with commas',
      collect,
      [],
    )
    .option('--agent <id>', 'with an attempt on one agent')
    .option('--since <when>', 'made then or later: an instant, or how long ago, like 2h')
    .option('--until <when>', 'made before')
    .option('--search <text>', 'with this in the reason or in a parameter')
    .option('--limit <count>', 'at most so many', '50')
    .option('--json', 'as JSON')
    .action(async ({ limit, json, ...options }: ListOptions, command: Command) => {
      if (!/^[1-9]\d{0,8}$/.test(limit)) {
        throw new UserError(`--limit holds "${limit}"; expected a whole number above 0`);
      }
      const { job, state, agent, since, until, search } = options;
      const query = {
        ...{ job, agent, q: search, state: state.length === 0 ? undefined : state.join() },
        ...{ since: instantOf('--since', since), until: instantOf('--until', until) },
      };
      const runs = await allPages<Run>(apiFor(command), '/runs', query, Number(limit));
      if (json) printJson(runs);
      else print(runTable(runs));
    });
  run
    .command('show <id>')
    .description('one run with its attempts, as JSON')
    .action(async (id: string, _options: unknown, command: Command) => {
      printJson(await apiFor(command).request<Run>({ method: 'GET', path: pathOf(id) }));
    });
  run
    .command('history <id>')
    .description('what became of a run: who ordered it, where it was tried, what was reported when')
    .option('--json', 'as JSON')
    .action(async (id: string, options: { json?: true }, command: Command) => {
      const path = `${pathOf(id)}/history`;
      const { items } = await apiFor(command).request<Page<RunStep>>({ method: 'GET', path });
      if (options.json) printJson(items);
      else print(historyTable(items));
    });
  run
    .command('logs <id>')
    .description('what a run wrote')
    .option('--follow', 'until the run is over, through fail-overs')
    .action(async (id: string, options: { follow?: true }, command: Command) => {
      const api = apiFor(command);
      const write = (bytes: Buffer) => process.stdout.write(bytes);
      if (options.follow) await followLog(api, id, write);
      else await readLog(api, { id, offset: 0, follow: false }, write);
    });
  run
    .command('cancel <id>')
    .description('end a run')
    .action(async (id: string, _options: unknown, command: Command) => {
      await apiFor(command).request({ method: 'POST', path: `${pathOf(id)}/cancel` });
      print(`${id} is being cancelled`);
    });
  run
    .command('retry <id>')
    .description('try a run that is over once more')
    .action(async (id: string, _options: unknown, command: Command) => {
      const again = await apiFor(command).request<Run>({
        method: 'POST',
        path: `${pathOf(id)}/retry`,
      });
      print(again.id);
    });
  addRunSubmitCommand(run);
}

function runTable(runs: readonly Run[]): string {
  const rows = runs.map((run) => [
    run.id,
    run.job,
    run.state,
    run.agent ?? '-',
    showTerm(run.term),
    showInstant(run.createdAt),
    showInstant(run.finishedAt),
    run.reason ?? (run.exitCode === null ? '' : `exit ${run.exitCode}`),
  ]);
  return table(['RUN', 'JOB', 'STATE', 'AGENT', 'TERM', 'CREATED', 'FINISHED', 'RESULT'], rows);
}

function historyTable(steps: readonly RunStep[]): string {
  const rows = steps.map((step) => [
    step.at,
    step.what,
    step.agent ?? '-',
    showTerm(step.term),
    step.message,
  ]);
  return table(['AT', 'WHAT', 'AGENT', 'TERM', 'MESSAGE'], rows);
}

/** An instant as it is given, or as long ago as is given, for the API. */
function instantOf(option: string, given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const ago = parseDurationMs(given);
  const at = ago === null ? Date.parse(given) : Date.now() - ago;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  throw new UserError(
    `${option} holds "${given}"; expected an instant like 2026-01-31T03:00:00Z, or how long ago, like 2h`,
  );
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}

function pathOf(id: string): string {
  return `/runs/${encodeURIComponent(id)}`;
}
