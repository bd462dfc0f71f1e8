import { connect, type Socket } from 'node:net';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { UNREADY_HEADER } from '@understudy/shared/protocol/tenure';
import type { Listen } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';

/**
 * One check of so many asks on a connection of its own, as users do: a controller that can't take any more
 * (no descriptors left) still answers on those that it has. After a bad check all are made like that.
 */
const FRESH_EVERY = 4;
/** What our own controller answers is far shorter. */
const MAX_ANSWER_BYTES = 8_192;

/**
 * Asks the controller's port whether it may serve, by `HEAD /readyz`: its answer needs its event loop and a
 * living scheduler, and must come under our term. Asked some times a second for ever, with a fixed request
 * whose answer has no body: written to the socket as it is it costs this process a fifth of what
 * `node:http` costs, and that was the largest part of what an idle pair costs.
 */
export class PortCheck {
  readonly #listen: Listen;
  readonly #timeoutMs: number;
  readonly #request: string;
  #kept: Socket | null = null;
  #checks = 0;
  #isInDoubt = false;

  constructor(listen: Listen, timeoutMs: number) {
    this.#listen = listen;
    this.#timeoutMs = timeoutMs;
    this.#request = `HEAD /readyz HTTP/1.1\r\nHost: ${urlHostOf(listen.host)}:${listen.port}\r\n\r\n`;
  }

  /** Resolves to what is wrong; null: it serves under `term`. One check at a time; never rejects. */
  check(term: Term): Promise<string | null> {
    this.#checks += 1;
    const isFresh = this.#isInDoubt || this.#checks % FRESH_EVERY === 0;
    const kept = this.#kept;
    const socket = isFresh || kept === null ? this.#connect() : kept;
    return new Promise((resolve) => {
      let text = '';
      const finish = (problem: string | null) => {
        clearTimeout(timer);
        socket.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close');
        socket.on('error', () => undefined);
        this.#isInDoubt = problem !== null;
        const mayKeep = problem === null && (socket === kept || kept === null);
        if (mayKeep) this.#keep(socket);
        else this.#drop(socket);
        resolve(problem);
      };
      const timer = setTimeout(
        () => finish(`its port does not answer within ${this.#timeoutMs} ms`),
        this.#timeoutMs,
      );
      socket.on('data', (data) => {
        text += data.toString('latin1');
        if (text.includes('\r\n\r\n')) finish(problemOf(text, term));
        else if (text.length > MAX_ANSWER_BYTES) finish('its port answers something endless');
      });
      socket.on('error', (error) => finish(`its port does not answer: ${messageOf(error)}`));
      socket.on('close', () => finish('its port does not answer: the connection was closed'));
      socket.write(this.#request);
    });
  }

  /** Closes the connection that is kept. */
  stop(): void {
    if (this.#kept !== null) this.#drop(this.#kept);
  }

  #connect(): Socket {
    const { host, port } = this.#listen;
    return connect({ host: loopbackOf(host), port, noDelay: true });
  }

  #keep(socket: Socket): void {
    this.#kept = socket;
    // Ended by the other side while nobody asks: the next check opens another one.
    socket.once('close', () => this.#drop(socket));
  }

  #drop(socket: Socket): void {
    if (this.#kept === socket) this.#kept = null;
    socket.destroy();
  }
}

/** Anything may listen on a port: only our own controller answers under our term. */
function problemOf(answer: string, term: Term): string | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'something else than HTTP';
  if (status !== '200') {
    const unready = headerOf(answer, UNREADY_HEADER);
    return `its port answers ${status}${unready === null ? '' : `: ${unready}`}`;
  }
  const seen = headerOf(answer, 'understudy-term') ?? 'none';
  return seen === formatTerm(term) ? null : `its port answers under term ${seen}, not ${term}`;
}

function headerOf(answer: string, name: string): string | null {
  return new RegExp(`\r\n${name}: *([^\r\n]*)`, 'i').exec(answer)?.[1] ?? null;
}

/** The address by which this host reaches a port that it listens on itself. */
function loopbackOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function urlHostOf(host: string): string {
  const address = loopbackOf(host);
  return address.includes(':') ? `[${address}]` : address;
}
