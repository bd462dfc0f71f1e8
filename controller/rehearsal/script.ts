import { randomUUID } from 'node:crypto';
import type { OrderWire, RegisterWire, ReportsWire } from '@understudy/shared/protocol/agent';
import type { JobInput } from '@understudy/shared/protocol/api';
import { createParser } from 'eventsource-parser';
import type { Caller } from './caller.ts';

const JOB = 'rehearsal';
const AGENT = 'rehearsal';
const SLOTS = 8;
const JOURNAL = randomUUID();

type StartWire = Extract<OrderWire, { type: 'start' }>;

/** What users and one worker do in a tenure, played round by round. */
export class Script {
  readonly #caller: Caller;
  readonly #incarnation = randomUUID();
  /** Who waits for an order to start. */
  readonly #waiting: ((order: StartWire) => void)[] = [];
  #seq = 0;
  #session = 0;
  #rounds = 0;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** How many rounds were played to their end. */
  get rounds(): number {
    return this.#rounds;
  }

  /** A worker comes, and a job is made. */
  async begin(): Promise<void> {
    await this.#come();
    const schedule = { cron: '0 0 1 1 *', timezone: 'UTC' };
    const job: JobInput = { name: JOB, command: ['true'], schedule };
    await this.#caller.ask({ method: 'PUT', path: `/api/v1/jobs/${JOB}`, body: job });
  }

  /** A run is asked for, ordered, reported and looked at; before every other one the worker comes again. */
  async playRound(): Promise<void> {
    // After a fail-over all agents come at once.
    if (this.#rounds % 2 === 0) await this.#come();
    const path = `/api/v1/jobs/${JOB}/runs`;
    const headers = { 'Idempotency-Key': randomUUID() };
    const ordered = this.#nextStart();
    await this.#caller.ask({ method: 'POST', path, body: {}, headers });
    const { run, attempt } = await ordered;
    await this.#caller.ask({ method: 'GET', path: '/api/v1/pair' });
    await this.#report({ type: 'started', run, attempt, agoMs: 0, pid: 1 });
    const [data, logBytes] = [Buffer.from('well\n').toString('base64'), 5];
    const how = { outcome: 'exited', exitCode: 0, signal: null, reason: null } as const;
    await this.#report(
      { type: 'log', run, attempt, offset: 0, data },
      { type: 'ended', run, attempt, agoMs: 0, ...how, logBytes },
    );
    await this.#caller.ask({ method: 'GET', path: `/api/v1/runs/${run}` });
    await this.#caller.ask({ method: 'GET', path: `/api/v1/runs?job=${JOB}&limit=10` });
    this.#rounds += 1;
  }

  async #come(): Promise<void> {
    this.#session += 1;
    const introduction: RegisterWire = {
      ...{ agent: AGENT, incarnation: this.#incarnation, version: '0', labels: {}, slots: SLOTS },
      ...{ highestTerm: '0', journal: JOURNAL, session: this.#session, attempts: [] },
    };
    await this.#caller.ask({ method: 'GET', path: '/readyz' });
    await this.#caller.ask({ method: 'POST', path: '/agent/v1/register', body: introduction });
    await this.#listen();
    await this.#report();
  }

  async #listen(): Promise<void> {
    const who = `agent=${AGENT}&incarnation=${this.#incarnation}&session=${this.#session}`;
    const path = `/agent/v1/orders?${who}`;
    const stream = await this.#caller.open({ method: 'GET', path });
    const parser = createParser({
      onEvent: ({ data }) => {
        const order = JSON.parse(data) as OrderWire;
        if (order.type === 'start') this.#waiting.shift()?.(order);
      },
    });
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => parser.feed(text));
    // The stage is taken down under it, and that is the end of the play.
    stream.on('error', () => undefined);
  }

  #nextStart(): Promise<StartWire> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #report(...reports: readonly ReportsWire['reports'][number]['report'][]): Promise<void> {
    const numbered = reports.map((report) => {
      this.#seq += 1;
      return { seq: this.#seq, report };
    });
    const body: ReportsWire = {
      ...{ agent: AGENT, incarnation: this.#incarnation, highestTerm: '0' },
      reports: numbered,
    };
    await this.#caller.ask({ method: 'POST', path: '/agent/v1/reports', body });
  }
}
