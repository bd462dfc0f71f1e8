import { statSync } from 'node:fs';
import { formatTerm } from '@understudy/shared/kernel/term';
import { messageOf } from '@understudy/shared/runtime/errors';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { type Attempt, attemptId } from '../attempt/attempt.ts';
import { Cgroup, cgroupPathHere } from '../executor/cgroup.ts';
import { CgroupGuard } from '../executor/cgroup-guard.ts';
import { endMarked } from '../executor/leftovers.ts';
import { ModuleHosts } from '../executor/module-hosts.ts';
import { OutputWatch } from '../executor/output.ts';
import { environmentOfHosts, type Workshop } from '../executor/perform.ts';
import { Trees } from '../executor/trees.ts';
import { openLauncher } from '../launch/open-launcher.ts';
import type { Launcher } from '../launch/port.ts';
import { openDataFolder } from '../spool/folder.ts';
import { bootId } from '../spool/lock.ts';
import { logPath, removeLogsExcept } from '../spool/log-file.ts';
import { type Lines, makeLines } from './call.ts';
import { ContactWatch } from './contact.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { FromWorker, ToWorker, WorkerConfig } from './link.ts';
import type { Closing, OrderDesk } from './orders.ts';
import { Reporter } from './reporter.ts';
import { Runner } from './runner.ts';
import { stayWith } from './session.ts';

export interface WorkerPorts {
  readonly send: (message: FromWorker) => void;
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly random: () => number;
  /** Ends the process: it can't go on. */
  readonly onFault: (error: unknown) => void;
}

/** Makes the worker of an agent: tidies up after an earlier one, then waits to be told whom to follow. */
export async function openWorker(config: WorkerConfig, ports: WorkerPorts): Promise<Worker> {
  const lines = await openLines(config, ports);
  const folder = openDataFolder(config.data);
  const ownerPrefix = `${config.pair}/${config.agent}/`;
  const { cgroup, guard, found } = enclose(folder.path);
  const ended = found + endMarked({ owner: ownerPrefix, data: folder.path }).size;
  const wallMinusMonotonicMs = ports.wallMs() - ports.nowMs();
  const ledger = await openLedger(folder, { boot: bootId(), wallMinusMonotonicMs });
  const { nowMs, random, onFault } = ports;
  const news = { tell: (): void => undefined, tellOfStart: (): void => undefined };
  const onNews = (): void => news.tell();
  const onStarted = (): void => news.tellOfStart();
  const { incarnation } = config;
  const launch = await openLauncher((reason) => {
    log(ports, 'info', 'programs are started by Node, which takes longer', { reason });
  });
  const enclosed = { cgroup, guard, launch };
  const workshop = makeWorkshop({ config, ports, data: folder.path, ownerPrefix, ...enclosed });
  const runner = new Runner({ ledger, folder, workshop, nowMs, onNews, onStarted, onFault });
  const contact = new ContactWatch({ nowMs, isolate: (proven) => runner.isolate(proven) });
  const reporter = new Reporter({
    ...{ ledger, runner, folder, nowMs, random, incarnation, agent: config.agent },
    signOfLifeMs: () => contact.signOfLifeMs(ledger.open === 0),
    onDropped: (report, reason) => {
      log(ports, 'error', 'a report was dropped, no controller takes it', { report, reason });
    },
  });
  news.tell = () => reporter.wake();
  news.tellOfStart = () => reporter.wakeForStart();
  const lost = await reportLost(ledger, folder.logs, nowMs());
  await removeLogsExcept(folder.logs, (id) => isLogWanted(ledger.get(id)));
  if (ended + lost + ledger.unreadable > 0) {
    const facts = { processesEnded: ended, attemptsLost: lost, unreadable: ledger.unreadable };
    log(ports, 'warn', 'an earlier worker left something behind', facts);
  }
  return new Worker({ config, lines, ports, ledger, runner, reporter, contact });
}

async function openLines(
  { pair, agent, tls }: WorkerConfig,
  { wallMs }: WorkerPorts,
): Promise<Lines> {
  if (tls === null) return makeLines(pair, null);
  const self = { pair, kind: 'agent', id: agent } as const;
  return makeLines(pair, await Credentials.open({ files: tls, self, wallMs }));
}

interface WorkshopParts {
  readonly config: WorkerConfig;
  readonly ports: WorkerPorts;
  readonly data: string;
  readonly ownerPrefix: string;
  readonly cgroup: Cgroup | null;
  readonly guard: CgroupGuard | null;
  readonly launch: Launcher;
}

/** Brings this worker, and so all that it will start, into a cgroup of its own where one can be made. */
function enclose(data: string): Pick<WorkshopParts, 'cgroup' | 'guard'> & { found: number } {
  const path = cgroupPathHere(data);
  const cgroup = path === null ? null : Cgroup.make(path);
  const found = cgroup?.found ?? 0;
  if (cgroup === null) return { cgroup, guard: null, found };
  const guard = new CgroupGuard(cgroup);
  return cgroup.enter() ? { cgroup, guard, found } : { cgroup: null, guard: null, found };
}

function makeWorkshop(parts: WorkshopParts): Workshop {
  const { config, ports, data, ownerPrefix, cgroup, guard, launch } = parts;
  const { incarnation, users } = config;
  const trees = new Trees(cgroup);
  const hosts = new ModuleHosts({
    trees,
    env: environmentOfHosts({ ownerPrefix, incarnation, data }),
    onFault: (reason) => log(ports, 'warn', 'a fault in a module host', { reason }),
  });
  const isTied = (): boolean => guard?.isWatching ?? false;
  const outputs = new OutputWatch();
  return { launch, trees, hosts, outputs, isTied, ownerPrefix, incarnation, data, users };
}

/** What was started and not ended under an earlier worker is lost: nobody knows how it went. */
async function reportLost(ledger: Ledger, logs: string, nowMs: number): Promise<number> {
  const open = ledger.unsettled().filter(({ end }) => end === null);
  for (const attempt of open) {
    const logBytes = statSync(logPath(logs, attemptId(attempt)), { throwIfNoEntry: false })?.size;
    const end = { outcome: 'lost', exitCode: null, signal: null, logBytes: logBytes ?? 0 } as const;
    const reason = 'the worker ended while the attempt ran; its processes were ended too';
    await ledger.record(attempt, { type: 'ended', end: { ...end, reason, atMs: nowMs } });
  }
  return open.length;
}

/** Of attempts that nobody here knows the output is kept: a journal can get lost. */
function isLogWanted(attempt: Attempt | undefined): boolean {
  if (attempt === undefined) return true;
  return attempt.phase !== 'acknowledged' && attempt.end?.logBytes !== 0;
}

interface WorkerParts {
  readonly config: WorkerConfig;
  readonly lines: Lines;
  readonly ports: WorkerPorts;
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly reporter: Reporter;
  readonly contact: ContactWatch;
}

/** Does what the agent's heartbeat says: follows a controller, or comes to an end. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #desk: OrderDesk;
  #closing: Closing = 'no';
  #lastSession = 0;
  #stay: { readonly close: AbortController; readonly over: Promise<void> } | null = null;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { ledger, runner, reporter, config, ports } = parts;
    this.#desk = {
      ledger,
      runner,
      slots: config.slots,
      closing: () => this.#closing,
      nowMs: ports.nowMs,
      onNews: () => reporter.wake(),
    };
  }

  /** Carries out one message. */
  async take(message: Exclude<ToWorker, { type: 'configure' }>): Promise<void> {
    const { runner, ports } = this.#parts;
    switch (message.type) {
      case 'check':
        ports.send({ type: 'well' });
        return;
      case 'follow':
        await this.#follow(message.url);
        return;
      case 'finish':
      case 'kill':
        this.#closing = 'giving-up';
        await this.#leave();
        if (message.type === 'kill') {
          runner.endAll({ outcome: 'lost', reason: 'the agent gave up on its controllers' });
        }
        await runner.whenIdle();
        this.#sayIdle();
        return;
      case 'stop':
        await this.#stop(message.reportWithinMs);
    }
  }

  async #follow(url: string): Promise<void> {
    await this.#leave();
    const { config, lines, ledger, reporter, contact, ports } = this.#parts;
    const close = new AbortController();
    const parts = {
      ...{ config, lines, ledger, reporter, contact, desk: this.#desk },
      nextSession: () => this.#nextSession(),
      onJoined: (term: bigint) => ports.send({ type: 'joined', term: formatTerm(term) }),
      onInvalidOrder: (data: string) => {
        log(ports, 'warn', 'an order was not understood', { data: data.slice(0, 500) });
      },
    };
    const over = stayWith(url, parts, close.signal).then((loss) => {
      this.#stay = null;
      ports.send({ type: 'heard', term: formatTerm(ledger.highest) });
      if (!close.signal.aborted) ports.send({ type: 'lost', loss });
    });
    this.#stay = { close, over };
    over.catch(ports.onFault);
  }

  /** The monotonic clock goes on when a worker is started anew under the same agent. */
  #nextSession(): number {
    this.#lastSession = Math.max(this.#lastSession + 1, Math.floor(this.#parts.ports.nowMs()));
    return this.#lastSession;
  }

  async #leave(): Promise<void> {
    const stay = this.#stay;
    if (stay === null) return;
    stay.close.abort();
    await stay.over;
  }

  async #stop(reportWithinMs: number): Promise<void> {
    const { runner, reporter, ports } = this.#parts;
    this.#closing = 'draining';
    ports.send({ type: 'stopping', withinMs: runner.graceMs + reportWithinMs });
    runner.endAll({ outcome: 'lost', reason: 'the agent was stopped' });
    await runner.whenIdle();
    const untilMs = ports.nowMs() + reportWithinMs;
    while (this.#stay !== null && reporter.unreported() > 0 && ports.nowMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.#leave();
    this.#sayIdle();
  }

  #sayIdle(): void {
    const { ports, reporter } = this.#parts;
    ports.send({ type: 'idle', unreported: reporter.unreported() });
  }
}

function log(
  ports: WorkerPorts,
  level: 'error' | 'warn' | 'info',
  message: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  ports.send({ type: 'log', level, message, fields });
}

/** The message of a fault, for the heartbeat's log. */
export function logFault(ports: Pick<WorkerPorts, 'send'>, error: unknown): void {
  const fields = { reason: messageOf(error) };
  ports.send({ type: 'log', level: 'error', message: 'the worker can not go on', fields });
}
