import type { NewAudit } from './audit.ts';

/** Somebody who was not allowed to do what he asked for. */
export interface Denial {
  /** The name of his token; null: it is not valid here, or there was none. */
  readonly actor: string | null;
  readonly address: string;
  /** Method and path. */
  readonly asked: string;
  /** The agent as which he wanted to act, where that was what he may not; null: something else. */
  readonly asAgent: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface DenialsOptions {
  readonly record: (audit: NewAudit) => void;
  /** After so long the next one of the same caller is recorded again, with those in between. */
  readonly everyMs: number;
}

interface Known {
  readonly recordedAt: number;
  /** Since then. */
  count: number;
}

/** No name of a token. */
const NOBODY_KNOWN = '-';
const MOST_CALLERS = 1_000;
const MOST_SUBJECT = 200;

/**
 * Tells the audit trail who was denied what. Whoever tries again and again, with bad intent or a wrong
 * token in a script, is told of once in a while, with a count: he must not fill the trail.
 */
export class Denials {
  readonly #options: DenialsOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: DenialsOptions) {
    this.#options = options;
  }

  note({ actor, address, asked, asAgent, at }: Denial): void {
    const key = JSON.stringify([actor, address]);
    const known = this.#known.get(key);
    if (known !== undefined && at - known.recordedAt < this.#options.everyMs) {
      known.count += 1;
      return;
    }
    this.#known.delete(key);
    this.#known.set(key, { recordedAt: at, count: 0 });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_CALLERS && oldest !== undefined) this.#known.delete(oldest);
    this.#options.record({
      ...{ at, actor: actor ?? NOBODY_KNOWN, action: 'denied', address },
      items: asAgent === null ? [] : [asAgent],
      ...{ subject: asked.slice(0, MOST_SUBJECT), count: 1 + (known?.count ?? 0) },
    });
  }
}
