import type { Job } from '@understudy/shared/protocol/api';
import {
  forgetAudits,
  forgetDeliveries,
  forgetEvents,
  forgetOutput,
  forgetRuns,
} from '../store/forget.ts';
import {
  firstBeyond,
  hooksWithDeliveries,
  jobsWithRuns,
  type OldRun,
  oldAudits,
  oldDeliveries,
  oldEvents,
  oldRuns,
  storeNow,
} from '../store/old-history.ts';
import type { Reader } from '../store/reader.ts';
import type { Execute } from '../store/write-batch.ts';
import type { Pace } from './pace.ts';
import { type Kept, keptOf } from './policy.ts';

/** Removes a little, in one transaction. */
export type Bite = (execute: Execute) => Promise<void>;

export interface SweepOptions {
  readonly pair: string;
  readonly reader: Pick<Reader, 'select'>;
  readonly pace: Pick<Pace, 'size'>;
  readonly runs: Kept;
  /** How long events, and what hooks were told, are kept; null: for ever. */
  readonly eventsMs: number | null;
  /** The same of the audit trail. */
  readonly auditMs: number | null;
  readonly jobOf: (name: string) => Pick<Job, 'retention'> | null;
  /** The ids of the hooks that there are. */
  readonly hooks: () => readonly string[];
  readonly onForgotten: (runs: readonly string[]) => void;
}

/** Output of this length is as much as a bite removes. */
const BITE_BYTES = 4 * 1024 * 1024;
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * One look through all history, in bites: what is older than is kept, or more. Each look reads only what may
 * have to go, by an index, so a look that finds nothing costs next to nothing.
 */
export async function* sweep(options: SweepOptions): AsyncGenerator<Bite> {
  const { pair, reader, eventsMs, auditMs } = options;
  const now = await storeNow(reader);
  for (const job of await jobsWithRuns(reader, pair)) {
    yield* runsOf(job, keptOf(options.jobOf(job), options.runs), now, options);
  }
  if (eventsMs !== null)
    yield* entries(now - eventsMs, options, { find: oldEvents, forget: forgetEvents });
  if (auditMs !== null)
    yield* entries(now - auditMs, options, { find: oldAudits, forget: forgetAudits });
  const known = new Set(options.hooks());
  for (const hook of await hooksWithDeliveries(reader)) {
    if (!known.has(hook)) yield* deliveries(hook, null, options);
    else if (eventsMs !== null) yield* deliveries(hook, now - eventsMs, options);
  }
}

async function* runsOf(
  job: string,
  { ageMs, count }: Kept,
  now: number,
  { pair, reader, pace, onForgotten }: SweepOptions,
): AsyncGenerator<Bite> {
  const beyond = count === null ? null : await firstBeyond(reader, pair, job, count);
  const endedBefore = ageMs === null ? null : now - ageMs;
  let after = LOWEST_ID;
  for (;;) {
    const found = await oldRuns(reader, {
      ...{ pair, job, endedBefore, beyond, after },
      limit: pace.size,
    });
    const last = found.at(-1);
    if (last === undefined) return;
    after = last.id;
    for (const some of portions(found)) {
      yield* longOutputOf(some, pair);
      yield async (execute) => {
        const ids = some.map(({ id }) => id);
        onForgotten(await forgetRuns(pair, ids, execute));
      };
    }
  }
}

/** Of a run that wrote more than a bite removes, the output goes first, bite by bite. */
async function* longOutputOf(runs: readonly OldRun[], pair: string): AsyncGenerator<Bite> {
  const [run] = runs;
  if (run === undefined || run.logBytes <= BITE_BYTES) return;
  let left = 1;
  while (left > 0) {
    yield async (execute) => {
      left = await forgetOutput(pair, run.id, execute);
    };
  }
}

/** Runs whose output together is no more than a bite removes; one that is longer stands alone. */
function portions(runs: readonly OldRun[]): OldRun[][] {
  const all: OldRun[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    if (bytes + run.logBytes > BITE_BYTES) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)?.push(run);
    bytes += run.logBytes;
  }
  return all;
}

/** What is numbered in its order: events, or the audit trail. */
async function* entries(
  before: number,
  { pair, reader, pace }: SweepOptions,
  { find, forget }: { readonly find: typeof oldEvents; readonly forget: typeof forgetEvents },
): AsyncGenerator<Bite> {
  let after = '0';
  for (;;) {
    const { seqs, last } = await find(reader, { pair, before, after, limit: pace.size });
    if (last === null) return;
    after = last;
    if (seqs.length > 0) yield (execute) => forget(pair, seqs, execute);
  }
}

async function* deliveries(
  hook: string,
  before: number | null,
  { reader, pace }: SweepOptions,
): AsyncGenerator<Bite> {
  for (;;) {
    const ids = await oldDeliveries(reader, { hook, before, limit: pace.size });
    if (ids.length === 0) return;
    yield (execute) => forgetDeliveries(hook, ids, execute);
  }
}
