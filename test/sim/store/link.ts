import type { Network } from '../kernel/network.ts';
import type { Process } from '../kernel/process.ts';
import type { Statement, StoreServer } from './server.ts';

/** Where the store is in the network. */
export const STORE = 0;

export interface StoreLinkOptions {
  readonly network: Network;
  readonly server: StoreServer;
  /** Where the client is in the network. */
  readonly place: number;
  readonly process: Process;
}

/** Connections of one process to the store. What is sent may be executed long after it was given up. */
export class StoreLink {
  readonly #options: StoreLinkOptions;

  constructor(options: StoreLinkOptions) {
    this.#options = options;
  }

  /** Sends what is to be executed; its answer comes back unless it gets lost. False: refused at once. */
  request<T>(
    execute: (server: StoreServer, reply: (value: T) => void) => void,
    onReply: (value: T) => void,
  ): boolean {
    const { network, server, place, process } = this.#options;
    const { life } = server;
    const reply = (value: T) => {
      network.send(STORE, place, () => process.take(() => onReply(value)));
    };
    return network.send(place, STORE, () => {
      server.receive(life, () => execute(server, reply));
    });
  }

  /** Sends what needs no answer. */
  tell(execute: (server: StoreServer) => void): void {
    this.request<null>(
      (server) => execute(server),
      () => undefined,
    );
  }
}

export interface Call<T> {
  readonly limitMs: number;
  readonly execute: (
    server: StoreServer,
    statement: Statement,
    reply: (value: T | null) => void,
  ) => void;
  /** Null: failed, which means unknown. */
  readonly done: (value: T | null) => void;
}

interface Pending {
  readonly deadlineMs: number;
  readonly statement: Statement;
  readonly send: () => void;
  readonly fail: () => void;
  isOver: boolean;
}

/** One connection of its own: calls go out one after the other, each with a time limit (`Lane`). */
export class Lane {
  readonly #link: StoreLink;
  readonly #process: Process;
  readonly #calls: Pending[] = [];
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(link: StoreLink, process: Process) {
    this.#link = link;
    this.#process = process;
  }

  call<T>({ limitMs, execute, done }: Call<T>): void {
    const deadlineMs = this.#nowMs() + limitMs;
    const statement = { isGivenUp: false };
    const pending: Pending = {
      deadlineMs,
      statement,
      isOver: false,
      fail: () => this.#finish(pending, () => done(null)),
      send: () => {
        const sent = this.#link.request<T | null>(
          (server, reply) => execute(server, statement, reply),
          (value) => {
            if (pending.isOver) return;
            // The answer may have lain in the socket while this process was not running.
            const inTime = this.#nowMs() <= deadlineMs;
            this.#finish(pending, () => done(inTime ? value : null));
          },
        );
        if (!sent) this.#process.timer(this.#nowMs() + 1, pending.fail);
      },
    };
    this.#calls.push(pending);
    this.#watch(deadlineMs);
    if (this.#calls[0] === pending) pending.send();
  }

  #finish(pending: Pending, report: () => void): void {
    if (pending.isOver) return;
    pending.isOver = true;
    pending.statement.isGivenUp = true;
    const wasFirst = this.#calls[0] === pending;
    this.#calls.splice(this.#calls.indexOf(pending), 1);
    report();
    if (wasFirst) this.#calls[0]?.send();
  }

  /** One timer for all calls, planned anew only when it is due. */
  #watch(deadlineMs: number): void {
    if (deadlineMs >= this.#timerAt) return;
    this.#timerAt = deadlineMs;
    this.#process.timer(deadlineMs, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      const nowMs = this.#nowMs();
      for (const each of [...this.#calls]) if (each.deadlineMs <= nowMs) each.fail();
      let next = Number.POSITIVE_INFINITY;
      for (const each of this.#calls) next = Math.min(next, each.deadlineMs);
      if (next < Number.POSITIVE_INFINITY) this.#watch(next);
    });
  }

  #nowMs(): number {
    return this.#process.host.monotonicMs();
  }
}
