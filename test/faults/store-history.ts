import { type Change, type Decoding, stampedChanges } from '../support/decoding.ts';
import { groupBy } from '../support/group-by.ts';
import {
  grantFaults,
  type LeaseVersion,
  leaseRowFaults,
  type RunVersion,
  runStateFaults,
  staleChanges,
} from '../support/invariants/store.ts';

/** All that was committed since the slot was made, in commit order. */
export class StoreHistory {
  readonly #decoding: Decoding;
  readonly #changes: Change[] = [];

  constructor(decoding: Decoding) {
    this.#decoding = decoding;
  }

  /** Judges it by I1, I3, I4 and I7, up to this moment. */
  async judge(): Promise<string[]> {
    // One by one: hours of changes are too many arguments.
    for (const change of await this.#decoding.read()) this.#changes.push(change);
    const changes = this.#changes;
    const lease = changes.filter(isNewRowOf('lease')).map(leaseVersion);
    const granted = lease.filter(({ term }) => term > 0n);
    // An empty history proves nothing.
    const seen = granted.length > 0 ? [] : ['no grant was seen in the log of the store'];
    return [
      ...seen,
      ...staleChanges(stampedChanges(changes)),
      ...grantFaults(granted),
      ...leaseRowFaults(granted),
      ...runStateFaults(runVersions(changes)),
    ];
  }
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

/** Every state of every run, with the number of the last attempt that was committed by then. */
function runVersions(changes: readonly Change[]): RunVersion[] {
  const attempts = new Map<string, number>();
  return [...groupBy(changes, ({ xid }) => xid).values()].flatMap((transaction) => {
    for (const { columns } of transaction.filter(isNewRowOf('attempt'))) {
      const [run, number] = [columns['run'] ?? '', Number(columns['number'])];
      attempts.set(run, Math.max(number, attempts.get(run) ?? 0));
    }
    return transaction.filter(isNewRowOf('run')).map(({ columns }) => {
      const run = columns['id'] ?? '';
      return { run, state: columns['state'] ?? '', attempt: attempts.get(run) ?? 0 };
    });
  });
}

/** The store of the tests writes its times in UTC: `2026-01-31 12:00:00.123456+00`. */
function instantMs(text: string): number {
  const ms = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'));
  if (Number.isNaN(ms)) throw new Error(`not a time of the store: ${text}`);
  return ms;
}
