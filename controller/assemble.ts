import type { RequestListener } from 'node:http';
import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { Log } from '@understudy/shared/runtime/log';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { doubtOf } from '@understudy/shared/runtime/tls/shown';
import type { Failpoints } from './failpoints.ts';
import { makeHandler } from './http/app.ts';
import type { ApiServer } from './http/server.ts';
import { HookService } from './notify/hooks.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { type Books, makeBooks } from './security/books.ts';
import { makeCallers } from './security/callers.ts';
import { Keyring } from './security/keyring.ts';
import { RekeyService } from './security/rekey.ts';
import type { Batch } from './store/changes.ts';
import { Committer } from './store/committer.ts';
import type { WriterLane } from './store/lane.ts';
import type { Inheritance } from './store/load.ts';
import type { Reader } from './store/reader.ts';
import type { NewEvent } from './store/records.ts';
import type { TenureGuard } from './tenure/guard.ts';
import { AgentService } from './work/agents.ts';
import { BackfillService } from './work/backfill.ts';
import { BulkService } from './work/bulk.ts';
import type { TenureContext } from './work/context.ts';
import { Dispatcher } from './work/dispatcher.ts';
import { makeIds } from './work/ids.ts';
import { JobService } from './work/jobs.ts';
import { LateWatch } from './work/late-watch.ts';
import { OutputMasks } from './work/output-masks.ts';
import { RunPlanner } from './work/planner.ts';
import { ReportService } from './work/reports.ts';
import { RunService } from './work/runs.ts';
import { WorkState } from './work/state.ts';

export interface AssembleOptions {
  readonly config: ControllerHostConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly guard: TenureGuard;
  readonly lane: Pick<WriterLane, 'transaction'>;
  readonly reader: Reader;
  readonly failpoints: Failpoints;
  /** The key store of this node; null: it has none. */
  readonly keystore: Keystore | null;
  /** Null: plain HTTP, and no worker can show a certificate. */
  readonly credentials: Credentials | null;
  readonly onHigherTerm: (term: Term) => void;
  readonly onDeposed: (reason: string) => void;
  readonly onDefect: (error: unknown) => void;
}

/** What the routes must know of the process that serves them. */
export interface Surroundings {
  readonly server: Pick<ApiServer, 'closing' | 'gate'>;
  readonly isFailsafe: () => boolean;
  /** When this tenure began, milliseconds since 1970. */
  readonly since: number;
}

/** The work plane of one tenure, put together, empty and at rest. */
export interface WorkPlane {
  readonly context: TenureContext;
  readonly committer: Committer;
  readonly state: WorkState;
  readonly agents: AgentService;
  readonly books: Books;
  readonly hooks: HookService;
  readonly dispatcher: Dispatcher;
  readonly scheduler: Scheduler;
  readonly lateWatch: LateWatch;
  /** Takes over what an earlier tenure left; from then on its agents are waited for. */
  load(inheritance: Inheritance): void;
  /** Ends at once all that was begun; what is under way is left as it is. */
  rest(): void;
  /** Called for each batch once it is committed, beside what is called anyway. */
  onCommitted: (batch: Batch) => void;
  /** What is wrong with it, though it still answers; empty when all is well. */
  problems(): readonly string[];
  handlerIn(surroundings: Surroundings): RequestListener;
}

const SCHEDULER_DEAD_AFTER_MS = 5_000;

/** Puts together what serves in a tenure. Nothing is read, written or begun by that. */
export function assemble(options: AssembleOptions): WorkPlane {
  const { config, clock, log, guard, lane, reader, failpoints } = options;
  const { pair, node } = config;
  const { term } = guard;
  const committer = new Committer({
    lane,
    guard,
    owner: { pair, term },
    log,
    onCommitted: (batch, written) => {
      state.noteCommitted(batch, written);
      hooks.noteCommitted(batch);
      plane.onCommitted(batch);
    },
    onOutputCut: (runs) => void state.apply({ events: runs.map((run) => cutEvent(run, clock)) }),
    onDeposed: options.onDeposed,
    onDefect: options.onDefect,
  });
  const newId = makeIds(() => clock.wallMs());
  const context: TenureContext = {
    pair,
    node,
    term,
    guard,
    committer,
    clock,
    log,
    failpoints,
    newId,
  };
  const state = new WorkState(context);
  const agents = new AgentService(context, state, config.agents);
  const planner = new RunPlanner(context, state);
  const runs = new RunService(context, state, reader, planner);
  const jobs = new JobService(context, state);
  const bulk = new BulkService({ context, state, jobs, runs, planner });
  const { limitBytes: outputLimit } = config.output;
  const keyring = new Keyring(options.keystore);
  const books = makeBooks({ context, state, keyring, keystore: config.keystore });
  const { tokens, secrets } = books;
  const isOpen = (run: string) => state.open(run) !== null;
  const masks = new OutputMasks({ secrets, reader, isOpen });
  const reports = new ReportService(context, { state, agents, reader, masks, outputLimit });
  const dispatcher = new Dispatcher(context, { state, agents, secrets });
  const scheduler = new Scheduler(context, { state, planner, runs });
  const backfill = new BackfillService({
    ...{ context, state, planner, reader, kept: config.retention.runs },
  });
  const lateWatch = new LateWatch(context, state);
  agents.onHigherTerm = options.onHigherTerm;
  runs.onCancel = (run) => agents.orderCancel(run);
  state.onCancel = (run) => agents.orderCancel(run);
  state.onEnded = (run) => planner.followersOf(run);
  state.onNew = (run) => lateWatch.note(run);
  planner.targetsOf = (definition) => agents.targetsOf(definition);
  planner.isAwaited = (agent) => agents.isAwaited(agent);
  backfill.onBegin = (name) => scheduler.settle(name);
  jobs.onChange = (name) => scheduler.settle(name);
  state.onQueued = () => dispatcher.kick();
  committer.onGather = () => dispatcher.decide();
  const hooks = new HookService(context, state, keyring);
  const path = config.keystore;
  const rekey = new RekeyService({ context, state, keyring, secrets, hooks, path });
  state.deliveriesOf = (events) => hooks.deliveriesOf(events);
  const problems = () =>
    scheduler.tickAgeMs > SCHEDULER_DEAD_AFTER_MS ? [describeTick(scheduler.tickAgeMs)] : [];
  const plane: WorkPlane = {
    ...{ context, committer, state, agents, books, hooks, dispatcher, scheduler, lateWatch },
    problems,
    load: ({ work, security }) => {
      state.load(work);
      books.load(security);
      hooks.load(work.hooks);
      agents.load(work.agents);
    },
    rest: () => {
      state.stop();
      agents.leave(null);
      dispatcher.stop();
      scheduler.stop();
      lateWatch.stop();
    },
    onCommitted: () => undefined,
    handlerIn: ({ server, isFailsafe, since }) =>
      makeHandler({
        ...{ context, state, agents, runs, backfill, bulk, jobs, reports, hooks, reader },
        ...{ tokens, secrets, rekey, problems, isFailsafe, since },
        callers: makeCallers(config.token, tokens),
        agentDoubt: (socket, id) =>
          options.credentials === null ? null : doubtOf(socket, { pair, kind: 'agent', id }),
        isClosing: server.closing,
        gate: server.gate,
      }),
  };
  return plane;
}

function describeTick(ageMs: number): string {
  return `the scheduler has not ticked for ${Math.round(ageMs)} ms`;
}

function cutEvent(run: string, clock: Clock): NewEvent {
  const message = 'its output is cut: the database has no room for more of it';
  return { at: Math.round(clock.wallMs()), kind: 'output-cut', subject: run, message, facts: {} };
}
