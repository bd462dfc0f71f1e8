import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { Log } from '@understudy/shared/runtime/log';
import type { Failpoints } from './failpoints.ts';
import { Retention } from './history/retention.ts';
import { makeHandler } from './http/app.ts';
import { ApiServer } from './http/server.ts';
import { Deliverer } from './notify/deliverer.ts';
import { HookService } from './notify/hooks.ts';
import { send } from './notify/send.ts';
import { tenureBegun, tenureEnded } from './notify/tenures.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { makeBooks } from './security/books.ts';
import { makeCallers } from './security/callers.ts';
import { Committer } from './store/committer.ts';
import { DeposedError, WriterLane } from './store/lane.ts';
import { loadOpenWork, type OpenWork } from './store/load.ts';
import { loadSecurity, type Security } from './store/load-security.ts';
import type { Reader } from './store/reader.ts';
import type { NewEvent } from './store/records.ts';
import { SwitchOver } from './switch-over.ts';
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

export interface ActivateOptions {
  readonly config: ControllerHostConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly guard: TenureGuard;
  readonly lane: WriterLane;
  readonly reader: Reader;
  readonly failpoints: Failpoints;
  /** The key store of this node; null: it has none. */
  readonly keystore: Keystore | null;
  readonly onHigherTerm: (term: Term) => void;
  readonly onDeposed: (reason: string) => void;
  readonly onDefect: (error: unknown) => void;
}

/** What exists only while this controller is active. */
export interface Active {
  /** What is wrong with it, though it still answers; empty when all is well. */
  problems(): readonly string[];
  /** A read failed: nothing is admitted until a write has succeeded. */
  storeSuspected(): void;
  /** Whether the tenure rests on the consent of the peers, because the store is away. */
  setFailsafe(isFailsafe: boolean): void;
  readonly switchOver: Pick<SwitchOver, 'hold' | 'resume' | 'forward' | 'parked'>;
  /**
   * Closes the port, sends the workers away, answers what is under way, commits what is decided. `isAsked`:
   * the tenure ends because somebody wants it to.
   */
  drain(graceMs: number, isAsked: boolean): Promise<void>;
  /** Closes the port and every connection at once. */
  cutOff(): void;
}

const LOAD_LIMIT_MS = 5_000;
const LOAD_RETRY_MS = 50;
const SCHEDULER_DEAD_AFTER_MS = 5_000;

/** Begins a tenure: loads what is open, behind the fence, then opens the port. */
export async function activate(options: ActivateOptions): Promise<Active> {
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
      deliverer.noteCommitted(batch);
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
  const books = makeBooks(context, state, options.keystore);
  const { tokens, secrets } = books;
  const isOpen = (run: string) => state.open(run) !== null;
  const masks = new OutputMasks({ secrets, reader, isOpen });
  const reports = new ReportService(context, { state, agents, reader, masks, outputLimit });
  const dispatcher = new Dispatcher(context, { state, agents, secrets });
  const scheduler = new Scheduler(context, { state, planner, runs });
  const backfill = new BackfillService({ context, state, planner, reader });
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
  const hooks = new HookService(context, state);
  state.deliveriesOf = (events) => hooks.deliveriesOf(events);
  const deliverer = new Deliverer({ context, state, reader, hooks, send });
  const { database, schema } = config;
  const retention = new Retention({
    ...{ context, state, reader, onDeposed: options.onDeposed },
    config: config.retention,
    lane: new WriterLane({ database, schema, pair, node, purpose: 'history' }),
    hooks: () => hooks.all().map(({ id }) => id),
  });

  failpoints.pass('before-load');
  const { work, security } = await load(options);
  state.load(work);
  books.load(security);
  hooks.load(work.hooks);
  const since = Math.round(clock.wallMs());
  const problems = () =>
    scheduler.tickAgeMs > SCHEDULER_DEAD_AFTER_MS ? [describeTick(scheduler.tickAgeMs)] : [];
  let isFailsafe = false;
  const server = new ApiServer({ guard, node, listen: config.controller.listen, log });
  const handle = makeHandler({
    context,
    state,
    agents,
    runs,
    backfill,
    bulk,
    jobs,
    reports,
    hooks,
    reader,
    since,
    problems,
    isFailsafe: () => isFailsafe,
    callers: makeCallers(config.token, tokens),
    tokens,
    secrets,
    isClosing: server.closing,
    gate: server.gate,
  });
  failpoints.pass('before-open');
  await server.open(handle);
  failpoints.pass('after-open');
  agents.load(work.agents);
  scheduler.start();
  lateWatch.start();
  void state.apply({ events: [tenureBegun(work, { node, term, at: since })] });
  dispatcher.kick();
  deliverer.start();
  retention.start();
  const switchOver = new SwitchOver({
    ...{ node, guard, server, scheduler, dispatcher, committer, agents, failpoints },
    background: [deliverer, retention],
  });

  return {
    problems,
    storeSuspected: () => committer.suspect(),
    setFailsafe: (is) => {
      if (is === isFailsafe) return;
      isFailsafe = is;
      log.warn(is ? 'failsafe: the store is away, what needs it waits' : 'failsafe is over');
      // Nobody has to find that out by waiting for an answer of the store.
      if (!is) return;
      committer.giveUp();
      reader.suspect();
    },
    switchOver,
    drain: async (graceMs, isAsked) => {
      switchOver.end();
      scheduler.stop();
      lateWatch.stop();
      dispatcher.stop();
      deliverer.stop();
      retention.stop();
      // A tenure that was handed over has another end.
      if (isAsked && guard.mayAct()) {
        const at = Math.round(clock.wallMs());
        void state.apply({ events: [tenureEnded({ node, term, at })] });
      }
      const closed = server.close(graceMs);
      agents.leave(null);
      await closed;
      await Promise.race([committer.whenIdle(), pause(graceMs)]);
    },
    cutOff: () => server.cutOff(),
  };
}

/** What a new active must know before it acts. */
interface Loaded {
  readonly work: OpenWork;
  readonly security: Security;
}

/** Tries until the tenure is over: the grant came from the same database a moment ago. */
async function load({ config, guard, lane, log }: ActivateOptions): Promise<Loaded> {
  for (;;) {
    try {
      return await lane.transaction(
        {
          term: guard.term,
          timeoutMs: LOAD_LIMIT_MS,
          mayCommit: () => guard.untilMayAct(),
        },
        async (execute) => ({
          work: await loadOpenWork(config.pair, guard.term, execute),
          security: await loadSecurity(config.pair, execute),
        }),
      );
    } catch (error) {
      if (error instanceof DeposedError || guard.isOver) throw error;
      log.warn('what is open could not be loaded: tries again', { error: messageOf(error) });
      await pause(LOAD_RETRY_MS);
    }
  }
}

function describeTick(ageMs: number): string {
  return `the scheduler has not ticked for ${Math.round(ageMs)} ms`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function cutEvent(run: string, clock: Clock): NewEvent {
  const message = 'its output is cut: the database has no room for more of it';
  return { at: Math.round(clock.wallMs()), kind: 'output-cut', subject: run, message, facts: {} };
}
