import type { Action } from '@understudy/shared/protocol/action';
import type {
  BackfillAnswer,
  JobView,
  NextInstants,
  Run,
  RunBatch,
} from '@understudy/shared/protocol/api';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { followLog, waitForRun } from '../client/follow-log.ts';
import { readJobs } from '../client/job-file.ts';
import { allPages } from '../client/pages.ts';
import { apiFor } from '../context.ts';
import { print, printJson, table } from '../output.ts';

interface RunOptions {
  readonly wait?: true;
  readonly follow?: true;
  readonly param: readonly string[];
  readonly idempotencyKey?: string;
  readonly json?: true;
}

/** `job`: definitions of what runs. */
export function addJobCommand(program: Command): void {
  const job = program
    .command('job')
    .description('jobs: list, show, next, apply, run, backfill, pause, resume, delete');
  job
    .command('list')
    .description('all jobs')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const jobs = await allPages<JobView>(apiFor(command), '/jobs', {});
      if (options.json) printJson(jobs);
      else print(jobTable(jobs));
    });
  job
    .command('show <name>')
    .description('one job, as JSON')
    .action(async (name: string, _options: unknown, command: Command) => {
      printJson(await apiFor(command).request<JobView>({ method: 'GET', path: pathOf(name) }));
    });
  job
    .command('next <name>')
    .description('when its schedule comes up next')
    .option('--count <count>', 'so many instants, 100 at most', '10')
    .option('--json', 'as JSON')
    .action(showNext);
  job
    .command('apply')
    .description('create or replace the jobs of a YAML or JSON file')
    .requiredOption('-f, --file <file>', 'the file; - for standard input')
    .action(async (options: { file: string }, command: Command) => {
      const [api, jobs] = [apiFor(command), readJobs(options.file)];
      for (const each of jobs) {
        await api.request({ method: 'PUT', path: pathOf(each.name), body: each.body });
        print(`${each.name} applied`);
      }
    });
  job
    .command('run <name>')
    .description('run a job now; prints the id of the run')
    .option('--wait', 'until the run is over; exit code 1 unless it succeeded')
    .option('--follow', 'show its output, and wait')
    .option('--param <name=value>', 'a parameter; may be repeated', collect, [])
    .option('--idempotency-key <key>', 'a repeated key gives the same run, not a second one')
    .option('--json', 'the run as JSON')
    .action((name: string, options: RunOptions, command: Command) =>
      runJob(apiFor(command), name, options),
    );
  job
    .command('backfill <name>')
    .description('run what its schedule should have run in the past; what ran is left as it is')
    .requiredOption('--from <instant>', 'the first instant, like 2026-01-31T00:00:00Z')
    .requiredOption('--to <instant>', 'the end, which is not part of it')
    .option('--json', 'as JSON')
    .action(backfill);
  for (const verb of ['pause', 'resume'] as const) {
    job
      .command(`${verb} <name>`)
      .description(verb === 'pause' ? 'stop its schedule' : 'take up its schedule again')
      .action(async (name: string, _options: unknown, command: Command) => {
        await apiFor(command).request({ method: 'POST', path: `${pathOf(name)}/${verb}` });
        print(`${name} ${verb}d`);
      });
  }
  job
    .command('delete <name>')
    .description('remove a job; its runs stay on record')
    .action(async (name: string, _options: unknown, command: Command) => {
      await apiFor(command).request({ method: 'DELETE', path: pathOf(name) });
      print(`${name} deleted`);
    });
}

async function showNext(
  name: string,
  options: { count: string; json?: true },
  command: Command,
): Promise<void> {
  const path = `${pathOf(name)}/next`;
  const query = { count: options.count };
  const next = await apiFor(command).request<NextInstants>({ method: 'GET', path, query });
  if (options.json) return printJson(next);
  if (next.paused) process.stderr.write(`${name} is paused: these instants will be skipped\n`);
  print(next.items.length === 0 ? 'never' : next.items.join('\n'));
}

async function backfill(
  name: string,
  { json, ...body }: { from: string; to: string; json?: true },
  command: Command,
): Promise<void> {
  const path = `${pathOf(name)}/backfill`;
  const answer = await apiFor(command).request<BackfillAnswer>({ method: 'POST', path, body });
  if (json) return printJson(answer);
  for (const id of answer.created) print(id);
  process.stderr.write(`${answer.created.length} runs made, ${answer.existing} were there\n`);
}

async function runJob(api: ApiClient, name: string, options: RunOptions): Promise<void> {
  const answer = await api.request<Run | RunBatch>({
    method: 'POST',
    path: `${pathOf(name)}/runs`,
    body: { parameters: parametersOf(options.param) },
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
  });
  if ('items' in answer) return await runEvery(api, answer, options);
  const started = answer;
  if (!options.wait && !options.follow) {
    if (options.json) printJson(started);
    else print(started.id);
    return;
  }
  if (!options.json) process.stderr.write(`run ${started.id}\n`);
  const run = options.follow
    ? await followLog(api, started.id, (bytes) => process.stdout.write(bytes))
    : await waitForRun(api, started.id);
  if (options.json) printJson(run);
  else process.stderr.write(`${run.state}${run.reason === null ? '' : `: ${run.reason}`}\n`);
  if (run.state !== 'succeeded') process.exitCode = 1;
}

/** A job that runs on every agent: one run each. */
async function runEvery(api: ApiClient, batch: RunBatch, options: RunOptions): Promise<void> {
  const isAwaited = options.wait === true || options.follow === true;
  const runs = isAwaited
    ? await Promise.all(batch.items.map(({ id }) => waitForRun(api, id)))
    : batch.items;
  if (options.json) printJson({ ...batch, items: runs });
  else for (const run of runs) print(`${run.id} ${run.target ?? '-'} ${run.state}`);
  if (isAwaited && runs.some(({ state }) => state !== 'succeeded')) process.exitCode = 1;
}

function parametersOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=');
      if (at > 0) return [each.slice(0, at), each.slice(at + 1)];
      throw new UserError(`--param holds "${each}"; expected NAME=VALUE`);
    }),
  );
}

function jobTable(jobs: readonly JobView[]): string {
  const rows = jobs.map((job) => [
    job.name,
    shownSchedule(job),
    job.delivery,
    job.paused ? 'paused' : 'on',
    describeAction(job).slice(0, 60),
  ]);
  return table(['JOB', 'SCHEDULE', 'DELIVERY', 'STATE', 'ACTION'], rows);
}

function describeAction({ command, shell, http, module }: Action): string {
  if (shell !== undefined) return `sh: ${shell.replaceAll('\n', '; ')}`;
  if (http !== undefined) return `${http.method} ${http.url}`;
  if (module !== undefined) return `${module.path}#${module.export}`;
  return (command ?? []).join(' ');
}

function shownSchedule({ schedule }: JobView): string {
  if (schedule === null) return '-';
  if ('cron' in schedule) return `${schedule.cron} ${schedule.timezone}`;
  return 'at' in schedule ? `at ${schedule.at}` : `every ${schedule.every}`;
}

function pathOf(name: string): string {
  return `/jobs/${encodeURIComponent(name)}`;
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}
