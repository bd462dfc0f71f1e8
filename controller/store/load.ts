import type { Term } from '@understudy/shared/kernel/term';
import { formatTerm } from '@understudy/shared/kernel/term';
import type { RunRecord } from '../dispatch/run.ts';
import type { HookRecord } from './hook-records.ts';
import { loadSecurity, type Security } from './load-security.ts';
import { hookColumns, hookFrom } from './read-deliveries.ts';
import type { AgentRecord, JobRecord } from './records.ts';
import {
  agentColumns,
  agentFrom,
  attemptColumns,
  jobColumns,
  jobFrom,
  type Row,
  runColumns,
  runsFrom,
} from './rows.ts';
import type { Execute } from './write-batch.ts';

/** What a new active must know before it acts. */
export interface Inheritance {
  readonly work: OpenWork;
  readonly security: Security;
}

/** Of the jobs and runs. */
export interface OpenWork {
  readonly jobs: readonly JobRecord[];
  readonly agents: readonly AgentRecord[];
  /** Runs that are not over, oldest first. */
  readonly runs: readonly RunRecord[];
  readonly hooks: readonly HookRecord[];
  readonly takeover: Takeover;
}

/** What went before this tenure. */
export interface Takeover {
  /** Why the term was granted; null: nobody wrote it down. */
  readonly basis: string | null;
  /** The tenure before; null: there was none. */
  readonly last: {
    readonly node: string;
    readonly term: string;
    /** It came to its end because it was asked to. */
    readonly ended: boolean;
  } | null;
}

/** Reads it, all at once. In a fenced transaction, as its parts say. */
export async function loadInheritance(
  pair: string,
  term: Term,
  execute: Execute,
): Promise<Inheritance> {
  const [work, security] = await Promise.all([
    loadOpenWork(pair, term, execute),
    loadSecurity(pair, execute),
  ]);
  return { work, security };
}

/** How many rows `loadInheritance` would read; above `most`: more than that. */
export async function countInheritance(
  pair: string,
  most: number,
  execute: Execute,
): Promise<number> {
  const open = 'run where pair = $1 and finished_at is null';
  const parts = [
    ...['job', 'agent', 'hook', 'token', 'secret'].map((table) => `${table} where pair = $1`),
    open,
    `attempt where run in (select id from ${open})`,
  ];
  const counts = parts.map((part) => `(select count(*) from (select from ${part} limit $2) part)`);
  const [row] = await execute({
    name: 'count-inheritance',
    text: `select ${counts.join(' + ')} as count`,
    values: [pair, most + 1],
  });
  return Number(row?.['count']);
}

/** Reads what is open. In a fenced transaction: whatever an older term committed is in it. */
export async function loadOpenWork(pair: string, term: Term, execute: Execute): Promise<OpenWork> {
  const select = (name: string, text: string): Promise<Row[]> =>
    execute({ name, text, values: [pair] });
  const [jobs, agents, runs, attempts, hooks, takeover] = await Promise.all([
    select('load-jobs', `select ${jobColumns} from job where pair = $1`),
    select('load-agents', `select ${agentColumns} from agent where pair = $1`),
    select(
      'load-runs',
      `select ${runColumns} from run where pair = $1 and finished_at is null order by id`,
    ),
    select(
      'load-attempts',
      `select ${attemptColumns} from attempt where run in
         (select id from run where pair = $1 and finished_at is null)`,
    ),
    select('load-hooks', `select ${hookColumns} from hook where pair = $1`),
    readTakeover(pair, term, execute),
  ]);
  return {
    jobs: jobs.map(jobFrom),
    agents: agents.map(agentFrom),
    runs: runsFrom(runs, attempts),
    hooks: hooks.map(hookFrom),
    takeover,
  };
}

async function readTakeover(pair: string, term: Term, execute: Execute): Promise<Takeover> {
  const [[grant], [last]] = await Promise.all([
    execute({
      name: 'load-grant',
      text: 'select basis from tenure_history where pair = $1 and term = $2::bigint',
      values: [pair, formatTerm(term)],
    }),
    execute({
      name: 'load-last-tenure',
      text: `select subject, term::text as term, kind from event
        where pair = $1 and kind in ('tenure-begun', 'tenure-ended') order by event.seq desc limit 1`,
      values: [pair],
    }),
  ]);
  return {
    basis: grant === undefined ? null : String(grant['basis']),
    last:
      last === undefined
        ? null
        : {
            node: String(last['subject']),
            term: String(last['term']),
            ended: last['kind'] === 'tenure-ended',
          },
  };
}
