import type { Log } from '@understudy/shared/runtime/log';
import type { Reader } from '../store/reader.ts';
import type { AgentService } from '../work/agents.ts';
import type { TenureContext } from '../work/context.ts';
import type { JobService } from '../work/jobs.ts';
import type { ReportService } from '../work/reports.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';

/** What the routes are made of. */
export interface HttpParts {
  readonly context: TenureContext;
  readonly token: string;
  readonly state: WorkState;
  readonly jobs: JobService;
  readonly runs: RunService;
  readonly agents: AgentService;
  readonly reports: ReportService;
  readonly reader: Reader;
  /** When this tenure began to serve, milliseconds since 1970. */
  readonly since: number;
  readonly log: Log;
}
