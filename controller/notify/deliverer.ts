import { backoffMs } from '@understudy/shared/kernel/backoff';
import { messageOf } from '@understudy/shared/runtime/errors';
import { version } from '@understudy/shared/runtime/version';
import type { Batch } from '../store/changes.ts';
import type { DeliveryOutcome, HookRecord, PendingDelivery } from '../store/hook-records.ts';
import { nextDeliveries } from '../store/read-deliveries.ts';
import type { Reader } from '../store/reader.ts';
import type { NewEvent } from '../store/records.ts';
import type { Background } from '../switch-over.ts';
import { momentOf, type TenureContext } from '../work/context.ts';
import type { WorkState } from '../work/state.ts';
import type { HookService } from './hooks.ts';
import { judge } from './judge.ts';
import type { Send, Sent } from './send.ts';
import { signatureOf } from './signature.ts';

export interface DelivererParts {
  readonly context: TenureContext;
  readonly state: Pick<WorkState, 'apply'>;
  readonly reader: Pick<Reader, 'select' | 'isAway'>;
  readonly hooks: Pick<HookService, 'all' | 'secretOf'>;
  readonly send: Send;
}

/** What is under way for one hook. */
interface Lane {
  readonly busy: Set<string>;
  /** How many tries in a row have failed. */
  failures: number;
  /** After a failure it is left alone until then, monotonic milliseconds. */
  restsUntil: number;
  isLooking: boolean;
  isAskedAgain: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** So many are sent at once, to one hook and to all. */
const MOST_OF_ONE = 4;
const MOST_OF_ALL = 32;
/** A receiver that fails is given time, whatever waits for it. */
const REST = { firstMs: 1_000, factor: 2, maxMs: 30_000 };
/** While nothing can be read, committed or done, it is looked again so often. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Tells hooks what was committed for them, until each has arrived or is given up. What is to be told lies
 * in the database and nowhere else, so a new active goes on where the last one ended. It may tell again what
 * had arrived: each notice has an id that stays, by which its receiver knows it.
 */
export class Deliverer implements Background {
  readonly #parts: DelivererParts;
  readonly #lanes = new Map<string, Lane>();
  #underWay = 0;
  #isRunning = false;
  #isStopped = false;

  constructor(parts: DelivererParts) {
    this.#parts = parts;
  }

  /** Begins with what the last tenure left. */
  start(): void {
    if (this.#isStopped || this.#isRunning) return;
    this.#isRunning = true;
    this.#lookAtAll();
  }

  /** Nothing more is sent; what is under way ends by itself. */
  pause(): void {
    this.#isRunning = false;
    for (const { timer } of this.#lanes.values()) clearTimeout(timer);
  }

  stop(): void {
    this.#isStopped = true;
    this.pause();
  }

  /** Nobody waits for a receiver: what its answer comes to is recorded later, or it is told again. */
  readonly isIdle = true;

  async whenIdle(): Promise<void> {}

  noteCommitted({ hooks, deliveries }: Pick<Batch, 'hooks' | 'deliveries'>): void {
    if (hooks.size > 0) this.#forgetDeleted();
    const concerned = new Set(deliveries.map(({ hook }) => hook));
    for (const hook of hooks.values()) if (hook !== null) concerned.add(hook.id);
    for (const id of concerned) this.#look(id);
  }

  #forgetDeleted(): void {
    const known = new Set(this.#parts.hooks.all().map(({ id }) => id));
    for (const [id, { timer }] of this.#lanes) {
      if (known.has(id)) continue;
      clearTimeout(timer);
      this.#lanes.delete(id);
    }
  }

  #lookAtAll(): void {
    for (const { id } of this.#parts.hooks.all()) this.#look(id);
  }

  #look(id: string): void {
    const lane = this.#laneOf(id);
    if (lane.isLooking) {
      lane.isAskedAgain = true;
      return;
    }
    lane.isLooking = true;
    lane.isAskedAgain = false;
    void this.#sendWhatIsDue(id, lane).finally(() => {
      lane.isLooking = false;
      if (lane.isAskedAgain) this.#look(id);
    });
  }

  async #sendWhatIsDue(id: string, lane: Lane): Promise<void> {
    clearTimeout(lane.timer);
    const { context, reader, hooks } = this.#parts;
    if (!hooks.all().some((hook) => hook.id === id)) {
      this.#lanes.delete(id);
      return;
    }
    const free = Math.min(
      (lane.failures === 0 ? MOST_OF_ONE : 1) - lane.busy.size,
      MOST_OF_ALL - this.#underWay,
    );
    if (!this.#isRunning || free <= 0) return;
    const restsMs = lane.restsUntil - context.clock.monotonicMs();
    if (restsMs > 0) return this.#lookLater(id, lane, restsMs);
    const { committer, guard } = context;
    if (reader.isAway || committer.isAway || committer.isFull || !guard.mayAct()) {
      return this.#lookLater(id, lane, LOOK_AGAIN_MS);
    }
    try {
      const next = await nextDeliveries(reader, { hook: id, except: [...lane.busy], limit: free });
      for (const delivery of next) this.#sendOrWait(id, lane, delivery);
    } catch (error) {
      context.log.warn('what hooks are to be told can not be read', { error: messageOf(error) });
      this.#lookLater(id, lane, LOOK_AGAIN_MS);
    }
  }

  #sendOrWait(id: string, lane: Lane, delivery: PendingDelivery): void {
    // Time has passed since it was asked for: the tenure, or the hook, may be over.
    const hook = this.#parts.hooks.all().find((each) => each.id === id);
    if (hook === undefined || !this.#isRunning) return;
    const mayBegin = this.#parts.context.guard.mayAct() && this.#underWay < MOST_OF_ALL;
    if (delivery.waitMs > 0 || !mayBegin) {
      return this.#lookLater(id, lane, Math.max(delivery.waitMs, mayBegin ? 1 : LOOK_AGAIN_MS));
    }
    lane.busy.add(delivery.id);
    this.#underWay += 1;
    void this.#deliver(hook, lane, delivery).finally(() => {
      lane.busy.delete(delivery.id);
      this.#underWay -= 1;
      if (this.#underWay === MOST_OF_ALL - 1) this.#lookAtAll();
      else this.#look(id);
    });
  }

  async #deliver(hook: HookRecord, lane: Lane, delivery: PendingDelivery): Promise<void> {
    const { context } = this.#parts;
    const { giveUpAfter } = hook.definition;
    const sent = await this.#send(hook, delivery);
    const outcome = judge(delivery, sent, {
      hook: hook.id,
      giveUpAfterMs: giveUpAfter,
      jitter: Math.random(),
    });
    if (outcome.state === 'delivered') lane.failures = 0;
    else this.#noteFailure(hook, lane, outcome);
    // Held or over: the next active tells it again.
    if (this.#isStopped) return;
    const events =
      outcome.state === 'given-up' ? [givenUp(hook, outcome, momentOf(context).now)] : [];
    await this.#parts.state.apply({ outcomes: [outcome], events });
  }

  async #send(hook: HookRecord, delivery: PendingDelivery): Promise<Sent> {
    const { context, send, hooks } = this.#parts;
    const { url, timeout } = hook.definition;
    let secret: string | null;
    try {
      secret = hooks.secretOf(hook);
    } catch (error) {
      // Somebody else has written it: unsigned it must not go.
      return { type: 'failed', problem: `its secret can't be decrypted: ${messageOf(error)}` };
    }
    const headers = headersOf(delivery, { wallMs: context.clock.wallMs(), secret });
    return await send({ url, headers, body: delivery.body, timeoutMs: timeout });
  }

  #noteFailure(hook: HookRecord, lane: Lane, { problem, id }: DeliveryOutcome): void {
    const { log, clock } = this.#parts.context;
    if (lane.failures === 0) log.warn('a hook was not told', { hook: hook.name, id, problem });
    lane.restsUntil = clock.monotonicMs() + backoffMs(REST, lane.failures, Math.random());
    lane.failures += 1;
  }

  #lookLater(id: string, lane: Lane, ms: number): void {
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => this.#look(id), ms).unref();
  }

  #laneOf(id: string): Lane {
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const lane: Lane = {
      ...{ busy: new Set<string>(), failures: 0, restsUntil: 0 },
      ...{ isLooking: false, isAskedAgain: false, timer: undefined },
    };
    this.#lanes.set(id, lane);
    return lane;
  }
}

function headersOf(
  delivery: PendingDelivery,
  { wallMs, secret }: { readonly wallMs: number; readonly secret: string | null },
): Record<string, string> {
  const timestamp = `${Math.floor(wallMs / 1_000)}`;
  return {
    'Content-Type': 'application/json',
    'User-Agent': `Understudy/${version}`,
    'Understudy-Delivery': delivery.id,
    'Understudy-Event': delivery.event,
    'Understudy-Attempt': `${delivery.attempts + 1}`,
    'Understudy-Timestamp': timestamp,
    ...(secret === null
      ? {}
      : { 'Understudy-Signature': signatureOf(secret, timestamp, delivery.body) }),
  };
}

function givenUp(
  { name }: HookRecord,
  { id, problem, attempts }: DeliveryOutcome,
  at: number,
): NewEvent {
  const message = `hook ${name} could not be told after ${attempts} tries: ${problem}`;
  return {
    at,
    kind: 'hook-given-up',
    subject: name,
    message,
    facts: { delivery: id, problem, attempts },
  };
}
