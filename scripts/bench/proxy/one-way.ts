import type { Socket } from 'node:net';
import type { Link, Way } from './conduct.ts';

/** So much may wait on the link before its sender is held up, as the buffers of a real one would. */
const HIGH_WATER_BYTES = 1_000_000;

type Piece = { readonly dueAt: number; readonly bytes: Buffer | 'end' | 'reset' };

/** Carries what one socket receives to another one, as its link would. */
export class OneWay {
  readonly #way: Way;
  readonly #link: Link;
  readonly #from: Socket;
  readonly #to: Socket;
  #waiting: Piece[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #sentAt = 0;
  #lastDueAt = 0;
  /** Sees what comes first; what it answers true to goes no further. */
  intercept: (bytes: Buffer) => boolean = () => false;

  constructor(way: Way, link: Link, from: Socket, to: Socket) {
    this.#way = way;
    this.#link = link;
    this.#from = from;
    this.#to = to;
    from.on('data', (bytes) => this.#take(bytes));
    from.on('end', () => this.#take('end'));
    from.on('close', () => this.#take('end'));
    from.on('error', () => this.#take('reset'));
  }

  /** Sends on what is due. To be called when the link's conduct has changed. */
  pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (!this.#link.isCut(this.#way)) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.#waiting.shift();
      this.#send(next.bytes);
    }
    if (this.#waitingBytes < HIGH_WATER_BYTES) this.#from.resume();
  }

  /** Nothing that waits will arrive. */
  drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #take(bytes: Piece['bytes']): void {
    if (typeof bytes !== 'string' && this.intercept(bytes)) return;
    const size = typeof bytes === 'string' ? 0 : bytes.length;
    this.#sentAt = Math.max(performance.now(), this.#sentAt) + this.#link.sendingMs(size);
    this.#lastDueAt = Math.max(this.#sentAt + this.#link.delayMs(), this.#lastDueAt);
    this.#waiting.push({ dueAt: this.#lastDueAt, bytes });
    this.#waitingBytes += size;
    if (this.#waitingBytes > HIGH_WATER_BYTES) this.#from.pause();
    this.pump();
  }

  #send(bytes: Piece['bytes']): void {
    if (bytes === 'end') this.#to.end();
    else if (bytes === 'reset') resetSocket(this.#to);
    else {
      this.#waitingBytes -= bytes.length;
      if (this.#to.writable) this.#to.write(bytes);
    }
  }
}

/**
 * Ends a connection without a goodbye. One that is not connected yet, or that is saying goodbye already,
 * can only be given up: Node would leave its handle behind.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else if (!socket.destroyed) socket.resetAndDestroy();
}
