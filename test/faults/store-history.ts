import { type Change, type Decoding, stampedChanges } from '../support/decoding.ts';
import { groupBy } from '../support/group-by.ts';
import {
  grantFaults,
  type LeaseVersion,
  leaseRowFaults,
  type RunVersion,
  runStateFaults,
  type StampedChange,
  staleChanges,
} from '../support/invariants/store.ts';

/** All that was committed since the slot was made, in commit order. */
export class StoreHistory {
  readonly #decoding: Decoding;
  // Of each change only what is judged: a history of a million of them is to be kept in memory.
  readonly #stamped: StampedChange[] = [];
  readonly #lease: LeaseVersion[] = [];
  readonly #runs: RunVersion[] = [];
  /** By run: the number of the last attempt that was committed so far. */
  readonly #attempts = new Map<string, number>();

  constructor(decoding: Decoding) {
    this.#decoding = decoding;
  }

  /** Judges it by I1, I3, I4 and I7, up to this moment. */
  async judge(): Promise<string[]> {
    await this.#decoding.readInPieces((changes) => this.#note(changes));
    const granted = this.#lease.filter(({ term }) => term > 0n);
    // An empty history proves nothing.
    const seen = granted.length > 0 ? [] : ['no grant was seen in the log of the store'];
    return [
      ...seen,
      ...staleChanges(this.#stamped),
      ...grantFaults(granted),
      ...leaseRowFaults(granted),
      ...runStateFaults(this.#runs),
    ];
  }

  #note(changes: readonly Change[]): void {
    // One by one: so many are too many arguments.
    for (const change of stampedChanges(changes)) this.#stamped.push(change);
    for (const change of changes) {
      if (isNewRowOf('lease')(change)) this.#lease.push(leaseVersion(change));
    }
    for (const transaction of groupBy(changes, ({ xid }) => xid).values()) {
      this.#noteRuns(transaction);
    }
  }

  /** Every state of every run, with the number of the last attempt that was committed by then. */
  #noteRuns(transaction: readonly Change[]): void {
    for (const { columns } of transaction.filter(isNewRowOf('attempt'))) {
      const [run, number] = [copied(columns['run']), Number(columns['number'])];
      this.#attempts.set(run, Math.max(number, this.#attempts.get(run) ?? 0));
    }
    for (const { columns } of transaction.filter(isNewRowOf('run'))) {
      const [run, state] = [copied(columns['id']), copied(columns['state'])];
      this.#runs.push({ run, state, attempt: this.#attempts.get(run) ?? 0 });
    }
  }
}

/** A part of a text keeps the whole of it in memory; this one is by itself. */
function copied(text: string | null | undefined): string {
  return Buffer.from(text ?? '').toString();
}

function isNewRowOf(table: string): (change: Change) => boolean {
  return (change) => change.table === table && (change.op === 'insert' || change.op === 'update');
}

function leaseVersion({ columns }: Change): LeaseVersion {
  return {
    term: BigInt(columns['term'] ?? 0),
    node: columns['holder'] ?? '',
    incarnation: columns['incarnation'] ?? '',
    renewSeq: BigInt(columns['renew_seq'] ?? 0),
    released: /^t/.test(columns['released'] ?? ''),
    expiresAtMs: instantMs(columns['expires_at'] ?? ''),
    ttlMs: Number(columns['ttl_ms']),
    revivals: Number(columns['revivals']),
  };
}

/** The store of the tests writes its times in UTC: `2026-01-31 12:00:00.123456+00`. */
function instantMs(text: string): number {
  const ms = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'));
  if (Number.isNaN(ms)) throw new Error(`not a time of the store: ${text}`);
  return ms;
}
