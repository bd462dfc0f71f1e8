import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { formatTerm } from '@understudy/shared/kernel/term';
import type { Tenure } from '@understudy/shared/protocol/tenure';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { Failpoints } from './failpoints.ts';
import { makeApp } from './http/app.ts';
import { drainServer, openServer } from './http/server.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { Committer } from './store/committer.ts';
import { DeposedError, type WriterLane } from './store/lane.ts';
import { loadOpenWork, type OpenWork } from './store/load.ts';
import type { Reader } from './store/reader.ts';
import type { TenureGuard } from './tenure/guard.ts';
import { AgentService } from './work/agents.ts';
import type { TenureContext } from './work/context.ts';
import { Dispatcher } from './work/dispatcher.ts';
import { makeIds } from './work/ids.ts';
import { JobService } from './work/jobs.ts';
import { ReportService } from './work/reports.ts';
import { RunService } from './work/runs.ts';
import { WorkState } from './work/state.ts';

export interface ScopeOptions {
  readonly config: ControllerHostConfig;
  readonly guard: TenureGuard;
  readonly lane: WriterLane;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly log: Log;
  readonly failpoints: Failpoints;
  /** Somebody showed a term above ours. */
  readonly onHigherTerm: (term: bigint) => void;
  /** This process must end now. */
  readonly onFatal: (reason: string) => void;
}

/** Everything that is true only while this controller is active. */
export interface TenureScope {
  /** What is wrong with it; empty: nothing. */
  problems(): string[];
  /** Stops taking in, answers what is under way, at most for so long. */
  drain(graceMs: number): Promise<void>;
  /** Cuts every connection off. */
  cut(): void;
  suspectStore(): void;
}

const LOAD_TIMEOUT_MS = 5_000;
const LOAD_RETRY_MS = 50;
const MAX_TICK_AGE_MS = 5_000;

/** Loads what is open, starts everything, and opens the port. Resolves when it serves. */
export async function beginTenure(options: ScopeOptions): Promise<TenureScope> {
  const { config, guard, clock, lane, log, reader } = options;
  const { pair, node } = config;
  const { term } = guard;
  let state: WorkState | null = null;
  const committer = new Committer({
    lane,
    guard,
    owner: { pair, term },
    log,
    onCommitted: (batch, written) => state?.noteCommitted(batch, written),
    onDeposed: (reason) => options.onFatal(`deposed: ${reason}`),
    onDefect: (error) => options.onFatal(`the database refused a change: ${messageOf(error)}`),
  });
  const newId = makeIds(() => Math.round(clock.wallMs()));
  const context: TenureContext = {
    ...{ pair, node, term, guard, committer, clock, log, newId },
    failpoints: options.failpoints,
  };
  const work = new WorkState(context);
  state = work;
  const runs = new RunService(context, work, reader);
  const agents = new AgentService(context, work, config.agents);
  const reports = new ReportService(context, work, agents, reader);
  const dispatcher = new Dispatcher(context, work, agents);
  const scheduler = new Scheduler(context, work, runs);
  work.onQueued = () => dispatcher.kick();
  runs.onCancel = (run) => agents.orderCancel(run);
  agents.onHigherTerm = options.onHigherTerm;

  const open = await load(options);
  work.load(open);
  agents.load(open.agents);
  const since = Math.round(clock.wallMs());
  let isOpen = true;
  const services = { runs, agents, reports, jobs: new JobService(context, work) };
  const parts = { ...services, context, token: config.token, state: work, reader, since, log };
  const server = await openServer(
    makeApp({ ...parts, isOpen: () => isOpen }),
    config.controller.listen,
  );
  scheduler.start();
  const facts = { openRuns: open.runs.length, jobs: open.jobs.length };
  const message = `${node} serves under term ${formatTerm(term)}`;
  void work.apply({
    events: [{ at: since, kind: 'tenure-begun', subject: node, message, facts }],
  });
  return {
    problems: () => {
      const ageMs = scheduler.tickAgeMs;
      return ageMs <= MAX_TICK_AGE_MS
        ? []
        : [`the scheduler has not ticked for ${Math.round(ageMs)} ms`];
    },
    drain: async (graceMs) => {
      isOpen = false;
      scheduler.stop();
      dispatcher.stop();
      agents.leave();
      await Promise.race([finish(server, committer), pause(graceMs)]);
      server.closeAllConnections();
    },
    cut: () => server.closeAllConnections(),
    suspectStore: () => committer.suspect(),
  };
}

async function finish(server: Server, committer: Committer): Promise<void> {
  await drainServer(server);
  await committer.whenIdle();
}

/** Tries until the tenure is over: the grant came from the same database a moment ago. */
async function load({ config, guard, lane, log }: ScopeOptions): Promise<OpenWork> {
  for (;;) {
    try {
      return await lane.transaction(
        {
          term: guard.term,
          timeoutMs: LOAD_TIMEOUT_MS,
          mayCommit: () => guard.untilMayAct(),
        },
        (execute) => loadOpenWork(config.pair, execute),
      );
    } catch (error) {
      if (error instanceof DeposedError || guard.isOver) throw error;
      log.warn('what is open could not be loaded; tries again', { error: messageOf(error) });
      await pause(LOAD_RETRY_MS);
    }
  }
}
