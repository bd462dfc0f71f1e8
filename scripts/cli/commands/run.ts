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
  readonly state?: string;
  readonly agent?: string;
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
    .option('--state <state>', 'in one state')
    .option('--agent <id>', 'on one agent')
    .option('--limit <count>', 'at most so many', '50')
    .option('--json', 'as JSON')
    .action(async ({ limit, json, job, state, agent }: ListOptions, command: Command) => {
      if (!/^[1-9]\d{0,8}$/.test(limit)) {
        throw new UserError(`--limit holds "${limit}"; expected a whole number above 0`);
      }
      const query = { job, state, agent };
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

function pathOf(id: string): string {
  return `/runs/${encodeURIComponent(id)}`;
}
