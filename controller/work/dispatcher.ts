import { formatTerm } from '@understudy/shared/kernel/term';
import type { OrderWire } from '@understudy/shared/protocol/agent';
import { causeOf } from '../dispatch/after.ts';
import { type AttemptRecord, openAttempt, type RunRecord } from '../dispatch/run.ts';
import { dispatchRun, endAttempt, refuseAttempt } from '../dispatch/transitions.ts';
import type { SecretBook } from '../security/secrets.ts';
import type { OrderStream } from './agent-entry.ts';
import type { AgentService } from './agents.ts';
import { momentOf, type TenureContext } from './context.ts';
import type { WorkState } from './state.ts';

interface Assigned {
  readonly run: RunRecord;
  readonly stream: OrderStream;
}

export interface DispatcherParts {
  readonly state: WorkState;
  readonly agents: AgentService;
  readonly secrets: Pick<SecretBook, 'unseal'>;
}

/** Gives queued runs to agents: first the attempt is committed, then the order is sent. */
export class Dispatcher {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #agents: AgentService;
  readonly #secrets: Pick<SecretBook, 'unseal'>;
  #isPlanned = false;
  #isPaused = false;
  #isStopped = false;
  /** Decisions whose orders have not gone out yet. */
  #underWay = 0;
  #whenIdle: (() => void)[] = [];

  constructor(context: TenureContext, { state, agents, secrets }: DispatcherParts) {
    this.#context = context;
    this.#state = state;
    this.#agents = agents;
    this.#secrets = secrets;
  }

  /** Something may have become possible. What is asked for in one moment is done together. */
  kick(): void {
    if (this.#isPlanned || this.#isStopped) return;
    this.#isPlanned = true;
    if (!this.#context.committer.willGather) setImmediate(() => this.decide());
  }

  /** Decides what was asked for, if anything was: before the next batch is committed, to be part of it. */
  decide(): void {
    if (!this.#isPlanned) return;
    this.#isPlanned = false;
    if (!this.#isStopped && !this.#isPaused) this.#dispatch();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Nothing new is decided; the orders of what was decided still go out. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.kick();
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  /** Resolves when the orders of all that was decided have gone out. */
  async whenIdle(): Promise<void> {
    if (!this.isIdle) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #dispatch(): void {
    const { committer, guard } = this.#context;
    if (this.#state.queue.size === 0 || committer.isAway || !guard.mayAct()) return;
    const candidates = this.#agents.candidates();
    if (candidates.length === 0) return;
    const moment = momentOf(this.#context);
    const assigned = this.#state.queue
      .take(candidates, (line) => this.#state.countUnderWay(line))
      .flatMap(({ run: id, agent }) => {
        const run = this.#state.open(id);
        const stream = this.#agents.streamOf(agent);
        if (run?.state !== 'queued' || stream === null) return [];
        return { run: dispatchRun(run, agent, moment), stream };
      });
    if (assigned.length > 0) void this.#carryOut(assigned);
  }

  async #carryOut(assigned: readonly Assigned[]): Promise<void> {
    const { failpoints, guard } = this.#context;
    this.#underWay += 1;
    failpoints.pass('before-intent-commit');
    await this.#state.apply({ runs: assigned.map(({ run }) => run) });
    failpoints.pass('after-intent-before-order');
    for (const { run, stream } of assigned) {
      // After a suspension it waits for the next renewal; an attempt that is committed must not be forgotten.
      if (!guard.mayAct()) await guard.untilMayAct();
      this.#order(run, stream);
    }
    failpoints.pass('after-order-sent');
    this.#underWay -= 1;
    if (this.isIdle) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** The order goes out only on the stream for which it was decided; else it certainly never starts. */
  #order(decided: RunRecord, stream: OrderStream): void {
    const run = this.#state.open(decided.id);
    const attempt = run === null ? null : openAttempt(run);
    if (run === null || attempt === null || attempt.number !== decided.attempts.length) return;
    const isHere = !this.#isStopped && this.#agents.streamOf(attempt.agent) === stream;
    if (isHere && run.cancelReason === null) {
      const secrets = this.#secrets.unseal(run.spec.secrets ?? []);
      if (secrets.type === 'unusable') return this.#endUnstarted(run, secrets.problem);
      this.#state.markOrdered(run.id, attempt.number);
      const term = formatTerm(this.#context.term);
      stream.send({ ...startOrder(run, attempt, term), ...secretsOf(secrets.values) });
      return;
    }
    const reason = isHere
      ? 'cancelled before it was ordered'
      : 'the agent went away before the order';
    void this.#state.apply({ runs: [refuseAttempt(run, reason, momentOf(this.#context))] });
  }

  /** Without its secrets it would do something else than was meant: it is not sent. */
  #endUnstarted(run: RunRecord, reason: string): void {
    const moment = momentOf(this.#context);
    const nothing = { at: moment.now, exitCode: null, signal: null };
    const ended = endAttempt(run, { ...nothing, outcome: 'not-started', reason }, moment);
    void this.#state.apply({ runs: [ended] });
  }
}

/** An order without secrets is as short as before there were any. */
function secretsOf(values: Readonly<Record<string, string>>): Pick<StartWire, 'secrets'> {
  return Object.keys(values).length === 0 ? {} : { secrets: { ...values } };
}

type StartWire = Extract<OrderWire, { type: 'start' }>;

function startOrder(run: RunRecord, attempt: AttemptRecord, term: string): StartWire {
  const { command, shell, http, module, manner, env, instant, timeoutMs, delivery } = run.spec;
  return {
    type: 'start',
    term,
    run: run.id,
    attempt: attempt.number,
    job: run.job,
    ...{ command, shell, http, module },
    ...manner,
    env: { ...env, ...causeEnv(run), ...run.parameters },
    ...(module === undefined ? {} : { parameters: { ...run.parameters } }),
    scheduledFor: instant === null ? null : new Date(instant).toISOString(),
    timeoutMs,
    delivery,
  };
}

/** A command that runs after another one can ask for it. */
function causeEnv({ idempotencyKey }: RunRecord): Record<string, string> {
  const cause = causeOf(idempotencyKey);
  return cause === null ? {} : { UNDERSTUDY_CAUSED_BY: cause };
}
