import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Report, Reports } from '@understudy/shared/protocol/agent';
import { type AttemptRecord, isOver, openAttempt, type RunRecord } from '../dispatch/run.ts';
import { endAttempt, growLog, refuseAttempt, startRun } from '../dispatch/transitions.ts';
import { storedPart } from '../history/stored-output.ts';
import type { Reader } from '../store/reader.ts';
import type { LogChunk, Masking, NewEvent } from '../store/records.ts';
import type { AgentService } from './agents.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import type { OutputMasks } from './output-masks.ts';
import type { WorkState } from './state.ts';

/** What one batch of reports comes to. */
interface Outcome {
  readonly runs: Map<string, RunRecord>;
  readonly chunks: LogChunk[];
  readonly maskings: Masking[];
  readonly events: NewEvent[];
}

export interface ReportParts {
  readonly state: WorkState;
  readonly agents: AgentService;
  readonly reader: Reader;
  readonly masks: OutputMasks;
  /** So many bytes of the output of an attempt are stored. */
  readonly outputLimit: number;
}

/** So often a report is refused because of missing output; then it counts, and the end says so. */
const PATIENCE = 3;

/**
 * Takes in what workers report. Each report may come any number of times; what is over stays as it is, and
 * what comes late is kept as evidence only.
 */
export class ReportService {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #agents: AgentService;
  readonly #reader: Pick<Reader, 'runs'>;
  readonly #masks: OutputMasks;
  readonly #outputLimit: number;
  /** How often something of an attempt came before the output that precedes it. */
  readonly #incomplete = new Map<string, number>();

  constructor(context: TenureContext, { state, agents, reader, masks, outputLimit }: ReportParts) {
    this.#context = context;
    this.#state = state;
    this.#agents = agents;
    this.#reader = reader;
    this.#masks = masks;
    this.#outputLimit = outputLimit;
  }

  /** Takes a batch; gives the number of the last report that is committed with all before it. */
  async take(message: Reports): Promise<number> {
    this.#agents.checkTerm(message.highestTerm);
    this.#agents.requireSession(message.agent, message.incarnation);
    // A sign of life and nothing else.
    if (message.reports.length === 0) return 0;
    requireStore(this.#context);
    this.#context.failpoints.pass('after-accept-before-record');
    const past = await this.#pastRuns(message);
    await this.#masks.prepare(message, (id) => this.#state.known(id) ?? past.get(id));
    // Reading may have taken a while, in which the worker may have been replaced.
    this.#agents.requireSession(message.agent, message.incarnation);
    const outcome: Outcome = { runs: new Map(), chunks: [], maskings: [], events: [] };
    let acknowledged = (message.reports[0]?.seq ?? 1) - 1;
    for (const { seq, report } of message.reports) {
      const run =
        outcome.runs.get(report.run) ?? this.#state.known(report.run) ?? past.get(report.run);
      if (run !== undefined && !this.#handle(outcome, run, report, message.agent)) break;
      acknowledged = seq;
    }
    const { runs, chunks, maskings, events } = outcome;
    this.#context.failpoints.pass('before-report-commit');
    await committed(
      this.#context,
      this.#state.apply({ runs: [...runs.values()], chunks, maskings, events }),
    );
    this.#context.failpoints.pass('after-report-commit');
    return acknowledged;
  }

  async #pastRuns(message: Reports): Promise<Map<string, RunRecord>> {
    const ids = new Set(message.reports.map(({ report }) => report.run));
    const unknown = [...ids].filter((id) => this.#state.known(id) === null);
    if (unknown.length === 0) return new Map();
    const runs = await this.#reader.runs(unknown);
    return new Map(runs.map((run) => [run.id, run]));
  }

  /** False: this report, and what follows, has to come again. */
  #handle(outcome: Outcome, run: RunRecord, given: Report, agent: string): boolean {
    const report = given.type === 'ended' ? this.#withoutSecrets(run, given) : given;
    const attempt = run.attempts.find(({ number }) => number === report.attempt);
    if (attempt?.agent !== agent) return true;
    if (isOver(attempt.state)) {
      this.#keepLate(outcome, run, attempt, report);
      return true;
    }
    if (this.#isIncomplete(run, attempt, report)) return false;
    const next = this.#next(outcome, run, attempt, report);
    if (next !== run) outcome.runs.set(run.id, next);
    return true;
  }

  #next(outcome: Outcome, run: RunRecord, attempt: AttemptRecord, report: Report): RunRecord {
    const moment = momentOf(this.#context);
    switch (report.type) {
      case 'started':
        return startRun(run, Math.max(attempt.orderedAt, moment.now - report.agoMs), moment);
      case 'log': {
        const piece = { offset: report.offset, data: Buffer.from(report.data, 'base64') };
        const stored = storedPart(piece, attempt.logBytes, this.#limitOf(run));
        if (stored === null) return run;
        const { start, data } = stored;
        const masked = this.#masks.take(run, attempt, { start, data });
        outcome.chunks.push({ run: run.id, attempt: attempt.number, start, data: masked.data });
        outcome.maskings.push(...masked.maskings);
        return growLog(run, start + data.length, moment);
      }
      case 'ended': {
        const at = Math.max(attempt.startedAt ?? attempt.orderedAt, moment.now - report.agoMs);
        const missing = report.logBytes - attempt.logBytes;
        const what = this.#isFull(run, attempt) ? 'were more than is stored' : 'are missing';
        const reason = missing > 0 ? `${missing} bytes of its output ${what}` : report.reason;
        this.#incomplete.delete(keyOf(report));
        this.#masks.forget(run, attempt);
        return endAttempt(run, { ...report, at: Math.round(at), reason }, moment);
      }
      case 'refused':
        return attempt.state === 'dispatched' && openAttempt(run) === attempt
          ? refuseAttempt(run, `the agent refused it: ${report.reason}`, moment)
          : run;
      default:
        return unreachable(report);
    }
  }

  #withoutSecrets<T extends { readonly reason: string | null }>(run: RunRecord, report: T): T {
    return { ...report, reason: this.#masks.text(run, report.reason) };
  }

  /**
   * Whether output is missing that comes before this: what is stored behind a gap could never be read.
   * It can be missing for good only when the database lost what it had acknowledged.
   */
  #isIncomplete(run: RunRecord, attempt: AttemptRecord, report: Report): boolean {
    const before =
      report.type === 'log' ? report.offset : report.type === 'ended' ? report.logBytes : 0;
    if (attempt.logBytes >= before || this.#isFull(run, attempt)) return false;
    const key = keyOf(report);
    const times = (this.#incomplete.get(key) ?? 0) + 1;
    this.#incomplete.set(key, times);
    return times < PATIENCE;
  }

  /** No more of its output is stored, whatever its agent sends. */
  #isFull(run: RunRecord, attempt: AttemptRecord): boolean {
    return attempt.logBytes >= this.#limitOf(run);
  }

  #limitOf({ spec }: RunRecord): number {
    return Math.min(this.#outputLimit, spec.manner?.output.limitBytes ?? this.#outputLimit);
  }

  #keepLate(outcome: Outcome, run: RunRecord, attempt: AttemptRecord, report: Report): void {
    if (report.type !== 'ended' || attempt.state !== 'lost' || report.outcome === 'lost') return;
    const { now } = momentOf(this.#context);
    const { type: _, run: id, agoMs, ...facts } = report;
    const message = `${attempt.agent} reported how attempt ${attempt.number} went after it was judged lost`;
    const at = Math.round(now - agoMs);
    outcome.events.push({
      at: now,
      kind: 'late-report',
      subject: id,
      message,
      facts: { ...facts, job: run.job, endedAt: new Date(at).toISOString() },
    });
  }
}

function keyOf(report: Report): string {
  return `${report.run}.${report.attempt}`;
}
