import { messageOf } from '@understudy/shared/runtime/errors';
import { tooLong } from '../executor/output-limit.ts';
import { AttemptLog } from './attempt-log.ts';
import { callHttp } from './call-http.ts';
import { callModule } from './call-module.ts';
import { current, type Hosted } from './current.ts';
import type { HostedEnd, HostedStart, HostNews } from './link.ts';

/** The attempts in this host, and what there is to tell of them. */
export class HostedAttempts {
  readonly #tell: (news: HostNews) => void;
  readonly #open = new Map<string, Hosted>();
  readonly #grown = new Set<Hosted>();

  constructor(tell: (news: HostNews) => void) {
    this.#tell = tell;
  }

  start(start: HostedStart): void {
    const { id, log: path, outputLimit: limit } = start;
    const onTooLong = (): void => {
      if (limit !== null) this.#tell({ type: 'failing', id, reason: tooLong(limit) });
    };
    const onGrown = (): void => this.#noteGrown(hosted);
    const log = new AttemptLog({ path, limit, onGrown, onTooLong });
    const hosted: Hosted = { id, log, abort: new AbortController() };
    this.#open.set(id, hosted);
    void current.run(hosted, () => carryOut(start, hosted)).then((end) => this.#end(hosted, end));
  }

  abort(id: string, reason: string): void {
    this.#open.get(id)?.abort.abort(new Error(reason));
  }

  /** An error that nobody caught: it belongs to whoever's code was running. */
  uncaught(error: unknown): void {
    const hosted = current.getStore();
    const reason = `uncaught ${nameOf(error)}`;
    if (hosted === undefined || this.#open.get(hosted.id) !== hosted) {
      this.#tell({ type: 'fault', reason });
      return;
    }
    hosted.log.write(`${stackOf(error)}\n`);
    this.#tell({ type: 'failing', id: hosted.id, reason });
  }

  #end(hosted: Hosted, end: Omit<HostedEnd, 'bytes'>): void {
    this.#open.delete(hosted.id);
    this.#grown.delete(hosted);
    const reasons = [end.reason, hosted.log.close()].filter((each) => each !== null);
    const reason = reasons.length === 0 ? null : reasons.join('; ');
    const { id } = hosted;
    this.#tell({ type: 'ended', id, end: { ...end, reason, bytes: hosted.log.bytes } });
  }

  /** What is written in one moment is told together. */
  #noteGrown(hosted: Hosted): void {
    if (this.#grown.size === 0) setTimeout(() => this.#tellGrown(), TELL_AFTER_MS);
    this.#grown.add(hosted);
  }

  #tellGrown(): void {
    for (const { id, log } of this.#grown) this.#tell({ type: 'wrote', id, bytes: log.bytes });
    this.#grown.clear();
  }
}

const TELL_AFTER_MS = 25;

async function carryOut(start: HostedStart, hosted: Hosted): Promise<Omit<HostedEnd, 'bytes'>> {
  try {
    const { action } = start;
    if (action.type === 'http') return await callHttp(action.http, start, hosted);
    await callModule(action.module, start, hosted);
    return { outcome: 'exited', exitCode: 0, reason: null };
  } catch (error) {
    hosted.log.write(`${stackOf(error)}\n`);
    return { outcome: 'exited', exitCode: exitCodeOf(error), reason: nameOf(error) };
  }
}

/** An error may say with which code its attempt fails, as a program would. */
function exitCodeOf(error: unknown): number {
  const code = (error as { exitCode?: unknown } | null | undefined)?.exitCode;
  return Number.isInteger(code) && Number(code) > 0 && Number(code) < 256 ? Number(code) : 1;
}

function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : 'error';
  return `${name}: ${messageOf(error)}`.slice(0, 4_000);
}

function stackOf(error: unknown): string {
  return (error instanceof Error ? error.stack : undefined) ?? nameOf(error);
}
