import type { RunRecord } from '../dispatch/run.ts';
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
export interface OpenWork {
  readonly jobs: readonly JobRecord[];
  readonly agents: readonly AgentRecord[];
  /** Runs that are not over, oldest first. */
  readonly runs: readonly RunRecord[];
}

/** Reads what is open. In a fenced transaction: whatever an older term committed is in it. */
export async function loadOpenWork(pair: string, execute: Execute): Promise<OpenWork> {
  const select = (name: string, text: string): Promise<Row[]> =>
    execute({ name, text, values: [pair] });
  const jobs = await select('load-jobs', `select ${jobColumns} from job where pair = $1`);
  const agents = await select('load-agents', `select ${agentColumns} from agent where pair = $1`);
  const runs = await select(
    'load-runs',
    `select ${runColumns} from run where pair = $1 and finished_at is null order by id`,
  );
  const attempts = await select(
    'load-attempts',
    `select ${attemptColumns} from attempt where run in
       (select id from run where pair = $1 and finished_at is null)`,
  );
  return {
    jobs: jobs.map(jobFrom),
    agents: agents.map(agentFrom),
    runs: runsFrom(runs, attempts),
  };
}
