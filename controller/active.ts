import { messageOf } from '@understudy/shared/runtime/errors';
import { type AssembleOptions, assemble } from './assemble.ts';
import { Retention } from './history/retention.ts';
import { ApiServer } from './http/server.ts';
import { Deliverer } from './notify/deliverer.ts';
import { send } from './notify/send.ts';
import { tenureBegun, tenureEnded } from './notify/tenures.ts';
import { DeposedError, WriterLane } from './store/lane.ts';
import { type Inheritance, loadInheritance } from './store/load.ts';
import { Statistics } from './store/statistics.ts';
import { SwitchOver } from './switch-over.ts';

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

export interface ActivateOptions extends AssembleOptions {
  readonly lane: WriterLane;
  /** The port is open: whoever comes waits until it serves, and is not turned away. */
  readonly onListening: () => void;
}

/**
 * Begins a tenure: opens the port, and meanwhile loads what is open, behind the fence. Nobody is answered before all
 * is loaded.
 */
export async function activate(options: ActivateOptions): Promise<Active> {
  const { config, clock, log, guard, reader, failpoints, credentials } = options;
  const { pair, node } = config;
  const { term } = guard;
  const plane = assemble(options);
  const { context, committer, state, agents, hooks, dispatcher, scheduler, lateWatch } = plane;
  const deliverer = new Deliverer({ context, state, reader, hooks, send });
  const { database, schema } = config;
  const retention = new Retention({
    ...{ context, state, reader, onDeposed: options.onDeposed },
    config: config.retention,
    lane: new WriterLane({ database, schema, pair, node, purpose: 'history' }),
    hooks: () => hooks.all().map(({ id }) => id),
  });

  const statistics = new Statistics({
    lane: new WriterLane({ database, schema, pair, node, purpose: 'statistics' }),
    log,
  });

  plane.onCommitted = (batch) => {
    deliverer.noteCommitted(batch);
    statistics.noteCommitted(batch);
  };

  failpoints.pass('before-load');
  const since = Math.round(clock.wallMs());
  const server = new ApiServer({ guard, node, listen: config.controller.listen, credentials, log });
  let isFailsafe = false;
  // Beside the load: what is asked for is on its way to the database before the port opens.
  const openPort = async () => {
    await server.open();
    options.onListening();
    return plane.handlerIn({ server, isFailsafe: () => isFailsafe, since });
  };
  const [inheritance, handle] = await Promise.all([load(options), openPort()]);
  failpoints.pass('before-serve');
  plane.load(inheritance);
  scheduler.start();
  lateWatch.start();
  hooks.sealPlain();
  void state.apply({ events: [tenureBegun(inheritance.work, { node, term, at: since })] });
  dispatcher.kick();
  deliverer.start();
  retention.start();
  const switchOver = new SwitchOver({
    ...{
      pair,
      node,
      credentials,
      guard,
      server,
      scheduler,
      dispatcher,
      committer,
      agents,
      failpoints,
    },
    isAddressMoving: config.vip.length > 0,
    background: [deliverer, retention],
  });
  server.serve(handle);
  failpoints.pass('after-serve');

  return {
    problems: plane.problems,
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
      statistics.stop();
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

/** Tries until the tenure is over: the grant came from the same database a moment ago. */
async function load({ config, guard, lane, log }: ActivateOptions): Promise<Inheritance> {
  const { term } = guard;
  for (;;) {
    try {
      const inheritance = await lane.read({ term, timeoutMs: LOAD_LIMIT_MS }, (execute) =>
        loadInheritance(config.pair, term, execute),
      );
      // The host may have slept meanwhile, or the tenure be over.
      await guard.untilMayAct();
      return inheritance;
    } catch (error) {
      if (error instanceof DeposedError || guard.isOver) throw error;
      log.warn('what is open could not be loaded: tries again', { error: messageOf(error) });
      await pause(LOAD_RETRY_MS);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
