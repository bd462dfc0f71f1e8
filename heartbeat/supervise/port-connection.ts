import type { Socket } from 'node:net';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { TAKEN_HEADER, UNREADY_HEADER } from '@understudy/shared/protocol/tenure';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { PortDial } from './port-dial.ts';
import type { Standing } from './port-verdict.ts';

/** What our own controller answers is far shorter. */
const MAX_ANSWER_BYTES = 8_192;

/**
 * A connection to the controller's port, on which one question at a time is asked: `HEAD /readyz`. Asked some
 * times a second for ever, with a fixed request whose answer has no body: written to the socket as it is it
 * costs this process a fifth of what `node:http` costs, and that was the largest part of what an idle pair
 * costs. An answer may come long after whoever asked has stopped waiting for it: it still says that the
 * controller answers.
 */
export class PortConnection {
  readonly #socket: Socket;
  readonly #request: string;
  #term: Term | null = null;
  #isAsked = false;
  #text = '';
  #standing: Standing = { type: 'none' };
  #onChange: (() => void) | null = null;
  #isClosed = false;

  constructor(dial: PortDial) {
    this.#request = `HEAD /readyz HTTP/1.1\r\nHost: ${dial.authority}\r\n\r\n`;
    const socket = dial.open();
    this.#socket = socket;
    socket.on('data', (data) => this.#take(data.toString('latin1')));
    socket.on('error', (error) => this.#end(`its port does not answer: ${messageOf(error)}`));
    socket.on('close', () => this.#end('its port does not answer: the connection was closed'));
  }

  /** Ended by the other side, or by us. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get standing(): Standing {
    return this.#isAsked ? { type: 'silent' } : this.#standing;
  }

  /** Asks whether it serves under this term, unless the last question is not answered yet. */
  ask(term: Term): void {
    if (this.#isClosed) return;
    this.#term = term;
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#socket.write(this.#request);
  }

  /** Calls back whenever it stands otherwise; null: no longer. */
  onChange(listener: (() => void) | null): void {
    this.#onChange = listener;
  }

  close(): void {
    this.#isClosed = true;
    this.#onChange = null;
    this.#socket.destroy();
  }

  #take(more: string): void {
    this.#text += more;
    if (this.#text.includes('\r\n\r\n')) {
      const problem = problemOf(this.#text, this.#term);
      const well = { type: 'well', taken: takenIn(this.#text) } as const;
      this.#settle(problem === null ? well : { type: 'bad', problem });
    } else if (this.#text.length > MAX_ANSWER_BYTES) {
      this.#settle({ type: 'bad', problem: 'its port answers something endless' });
    }
  }

  /** Ended while nobody asks it proves nothing: it is only not there any more. */
  #end(problem: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isAsked) this.#settle({ type: 'bad', problem });
  }

  #settle(standing: Standing): void {
    this.#isAsked = false;
    this.#text = '';
    this.#standing = standing;
    this.#onChange?.();
  }
}

/** Anything may listen on a port: only our own controller answers under our term. */
function problemOf(answer: string, term: Term | null): string | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'something else than HTTP';
  if (status !== '200') {
    const unready = headerOf(answer, UNREADY_HEADER);
    return `its port answers ${status}${unready === null ? '' : `: ${unready}`}`;
  }
  const seen = headerOf(answer, 'understudy-term') ?? 'none';
  if (term !== null && seen === formatTerm(term)) return null;
  return `its port answers under term ${seen}, not ${term}`;
}

function takenIn(answer: string): number | null {
  const taken = headerOf(answer, TAKEN_HEADER);
  return taken === null ? null : Number(taken);
}

function headerOf(answer: string, name: string): string | null {
  return new RegExp(`\r\n${name}: *([^\r\n]*)`, 'i').exec(answer)?.[1] ?? null;
}
