import { signOfLifeMs } from '@understudy/agent/attempt/isolation';
import { idleSignEveryMs } from '@understudy/controller/dispatch/silence';
import type { Process } from '../kernel/process.ts';
import type { Node } from '../node/node.ts';
import type { SimAgent } from './agent.ts';
import type { Order } from './messages.ts';
import { OrderStream } from './order-stream.ts';
import type { Registration, WorkPlane } from './plane.ts';

const REQUEST_LIMIT_MS = 2_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 2_000;
const FAILURES_ALLOWED = 6;

/** One stay with one controller: register, hold the order stream, report. */
export class Session {
  readonly #agent: SimAgent;
  readonly #node: Node;
  #stream: OrderStream | null = null;
  #isOver = false;
  #isJoined = false;
  #heardAt = 0;
  #isReporting = false;
  #hasNews = false;
  #failures = 0;

  constructor(agent: SimAgent, node: Node) {
    this.#agent = agent;
    this.#node = node;
  }

  begin(): void {
    const registration = this.#agent.registration();
    this.#ask<readonly { run: string; attempt: number }[]>(
      (plane, reply) => plane.register(registration, (unwanted) => reply(unwanted)),
      (unwanted) => {
        if (unwanted === null) return this.#end('not registered');
        for (const key of unwanted) this.#agent.drop(key);
        this.#hold(registration);
      },
    );
  }

  /** The agent is gone: nobody is told. */
  abandon(): void {
    this.#isOver = true;
    this.#stream?.hangUp();
  }

  /** Something is to be reported. */
  report(): void {
    this.#hasNews = true;
    if (!this.#isReporting && this.#stream !== null) this.#pump();
  }

  #hold(registration: Registration): void {
    const agent = this.#agent;
    const { world, place, process } = agent;
    if (process === null) return;
    this.#ask<true>(
      (plane, reply, controller) => {
        const stream = new OrderStream({
          network: world.network,
          from: this.#node.place,
          to: place,
          sender: controller,
          receiver: process,
          onOrder: (order) => this.#take(order),
          onClosed: () => this.#end('the stream was closed'),
          onLost: () => plane.disconnected(agent.name, stream),
        });
        this.#stream = stream;
        reply(plane.connect(registration, stream) ? true : null);
      },
      (isOpen) => {
        if (isOpen === null) return this.#end('no stream');
        this.#heardAt = agent.nowMs();
        this.#listen();
        this.#pump();
      },
    );
  }

  #take(order: Order): void {
    if (this.#isOver) {
      // What was read before the end may be handled after it: only its term protects from a past one.
      if (order.term < this.#agent.highest) this.#agent.order(order);
      return;
    }
    this.#heardAt = this.#agent.nowMs();
    if (order.type === 'leave') return this.#end('it stops being active', true);
    if (!this.#agent.order(order)) return this.#end('it speaks for a past term');
    if (this.#isJoined) return;
    this.#isJoined = true;
    this.#agent.joined();
  }

  #listen(): void {
    if (this.#isOver) return;
    const limitMs = Math.max(3 * this.#agent.world.knobs.work.beatEveryMs, 1_000);
    const silentMs = this.#agent.nowMs() - this.#heardAt;
    if (silentMs >= limitMs) return this.#end('nothing was heard');
    this.#agent.later(limitMs - silentMs + 1, () => this.#listen());
  }

  #pump(): void {
    if (this.#isOver) return;
    this.#isReporting = true;
    this.#hasNews = false;
    const identity = this.#agent.identity();
    const reports = this.#agent.due();
    this.#ask<'taken' | 'gone' | 'away'>(
      (plane, reply) => plane.report(identity, reports, reply),
      (answer) => {
        if (answer === 'gone') return this.#end('register again');
        if (answer !== 'taken') return this.#again();
        this.#failures = 0;
        this.#agent.acknowledge(reports);
        this.#isReporting = false;
        if (this.#hasNews) this.#pump();
        else this.#agent.later(this.#signOfLifeMs(), () => !this.#isReporting && this.#pump());
      },
    );
  }

  #signOfLifeMs(): number {
    const { lostAfterMs } = this.#agent.world.knobs.work;
    const terms = { lostAfterMs, idleSignEveryMs: idleSignEveryMs(lostAfterMs) };
    return signOfLifeMs(terms, this.#agent.open === 0);
  }

  #again(): void {
    this.#failures += 1;
    if (this.#failures >= FAILURES_ALLOWED) return this.#end('reports are not taken');
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
    this.#agent.later(delayMs, () => this.#pump());
  }

  /** One request; null: no answer in time, or refused. */
  #ask<T>(
    ask: (plane: WorkPlane, reply: (value: T | null) => void, controller: Process) => void,
    done: (value: T | null) => void,
  ): void {
    const { world, place, process } = this.#agent;
    const { network } = world;
    let isAnswered = false;
    const finish = (value: T | null) => {
      if (isAnswered || this.#isOver) return;
      isAnswered = true;
      done(value);
    };
    const back = (value: T | null) => {
      network.send(this.#node.place, place, () => process?.take(() => finish(value)));
    };
    // A connection leads to one process: what comes late does not reach another one.
    const connected = this.#node.portHolder;
    network.send(place, this.#node.place, () => {
      this.#node.atPort((controller) => {
        const isSame = controller !== null && controller === connected;
        const plane = isSame && controller.mayAct() ? controller.work : null;
        if (controller === null || plane === null) back(null);
        else ask(plane, back, controller.process);
      });
    });
    this.#agent.later(REQUEST_LIMIT_MS, () => finish(null));
  }

  #end(reason: string, leaving = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream?.hangUp();
    this.#agent.lost(this, { reason, leaving });
  }
}
