import type { AttemptRecord } from '../dispatch/run.ts';
import type { Batch } from './changes.ts';

/**
 * Attempts whose output is stored up to a place and no further: there was no room for more of it. What else is
 * known of them is kept as ever, and their end says how much is missing.
 */
export class OutputCut {
  /** By run and number: where the output ends. */
  readonly #cuts = new Map<string, number>();

  /** The batch as it may be written. */
  apply(batch: Batch): Batch {
    return this.#cuts.size === 0 ? batch : withCuts(batch, this.#cuts);
  }

  /** The batch without any output of its own. Nothing is noted before `note`. */
  static all(batch: Batch): Batch {
    return withCuts(batch, cutsOf(batch));
  }

  /** A batch was committed without its output. Gives the runs that it concerns. */
  note(batch: Batch): readonly string[] {
    for (const [id, bytes] of cutsOf(batch)) this.#cuts.set(id, this.#cuts.get(id) ?? bytes);
    return [...new Set(batch.chunks.map(({ run }) => run))];
  }

  /** Forgets runs that are over. */
  forget({ runs }: Batch): void {
    if (this.#cuts.size === 0) return;
    for (const { id, finishedAt, attempts } of runs.values()) {
      if (finishedAt === null) continue;
      for (const { number } of attempts) this.#cuts.delete(idOf(id, number));
    }
  }
}

type Cuts = ReadonlyMap<string, number>;

function cutsOf({ chunks }: Batch): Cuts {
  const cuts = new Map<string, number>();
  for (const { run, attempt, start } of chunks) {
    const id = idOf(run, attempt);
    cuts.set(id, Math.min(start, cuts.get(id) ?? start));
  }
  return cuts;
}

function withCuts(batch: Batch, cuts: Cuts): Batch {
  const shorten = (run: string, attempt: AttemptRecord) =>
    shortened(attempt, cuts.get(idOf(run, attempt.number)));
  return {
    ...batch,
    chunks: batch.chunks.filter(({ run, attempt }) => !cuts.has(idOf(run, attempt))),
    attempts: new Map(
      [...batch.attempts].map(([id, { run, attempt }]) => [
        id,
        { run, attempt: shorten(run, attempt) },
      ]),
    ),
    runs: new Map(
      [...batch.runs].map(([id, run]) => [
        id,
        { ...run, attempts: run.attempts.map((attempt) => shorten(id, attempt)) },
      ]),
    ),
  };
}

function shortened(attempt: AttemptRecord, bytes: number | undefined): AttemptRecord {
  if (bytes === undefined || attempt.logBytes <= bytes) return attempt;
  const missing = `${attempt.logBytes - bytes} bytes of its output are missing: there was no room for them`;
  const reason = attempt.reason === null ? missing : `${attempt.reason}; ${missing}`;
  return {
    ...attempt,
    logBytes: bytes,
    reason: attempt.finishedAt === null ? attempt.reason : reason,
  };
}

function idOf(run: string, attempt: number): string {
  return `${run}.${attempt}`;
}
