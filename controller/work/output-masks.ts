import type { Reports } from '@understudy/shared/protocol/agent';
import { type AttemptRecord, isOver, type RunRecord } from '../dispatch/run.ts';
import { Masker, maskText, reachOf } from '../security/mask.ts';
import type { SecretBook } from '../security/secrets.ts';
import type { Reader } from '../store/reader.ts';
import type { LogChunk, Masking } from '../store/records.ts';

/** A piece of output, ready to be stored, and what is to be hidden of the pieces before it. */
export interface Masked {
  readonly data: Buffer;
  readonly maskings: readonly Masking[];
}

export interface OutputMasksOptions {
  readonly secrets: Pick<SecretBook, 'hidden'>;
  readonly reader: Pick<Reader, 'log'>;
  /** Whether a run is not over. */
  readonly isOpen: (run: string) => boolean;
}

/** Beyond so many, those of attempts that never told their end are looked for. */
const MANY = 1_000;

/**
 * Hides the secrets that a run was given in what it writes, before that is stored. What an earlier controller
 * stored is looked at once, because a value may begin there.
 */
export class OutputMasks {
  readonly #options: OutputMasksOptions;
  readonly #maskers = new Map<string, Masker>();

  constructor(options: OutputMasksOptions) {
    this.#options = options;
  }

  /** Reads what must be known before these reports are taken. */
  async prepare(message: Reports, runOf: (id: string) => RunRecord | undefined): Promise<void> {
    for (const { report } of message.reports) {
      const run = report.type === 'log' ? runOf(report.run) : undefined;
      const attempt = run?.attempts.find(({ number }) => number === report.attempt);
      if (run === undefined || attempt === undefined || isOver(attempt.state)) continue;
      if (!hasSecrets(run) || this.#maskers.has(keyOf(run, attempt))) continue;
      const values = this.#options.secrets.hidden(run.spec.secrets ?? []);
      const tail = await this.#tailOf(run.id, attempt, reachOf(values));
      const key = keyOf(run, attempt);
      // The same report may have come twice.
      if (!this.#maskers.has(key)) {
        this.#maskers.set(key, new Masker(values, { tail, at: attempt.logBytes }));
      }
    }
    if (this.#maskers.size > MANY) this.#forgetEnded();
  }

  /** The next piece of an attempt's output. */
  take(
    run: RunRecord,
    attempt: AttemptRecord,
    { start, data }: Pick<LogChunk, 'start' | 'data'>,
  ): Masked {
    if (!hasSecrets(run)) return { data, maskings: [] };
    const key = keyOf(run, attempt);
    let masker = this.#maskers.get(key);
    // After output that is missing for good nothing is known of what was before.
    if (masker?.at !== start) {
      const values = this.#options.secrets.hidden(run.spec.secrets ?? []);
      masker = new Masker(values, { tail: Buffer.alloc(0), at: start });
      this.#maskers.set(key, masker);
    }
    const taken = masker.take(data);
    const of = { run: run.id, attempt: attempt.number };
    return { data: taken.data, maskings: taken.before.map((place) => ({ ...of, ...place })) };
  }

  /** What an agent says of an end. */
  text(run: RunRecord, reason: string | null): string | null {
    if (reason === null || !hasSecrets(run)) return reason;
    return maskText(reason, this.#options.secrets.hidden(run.spec.secrets ?? []));
  }

  forget(run: RunRecord, attempt: AttemptRecord): void {
    this.#maskers.delete(keyOf(run, attempt));
  }

  async #tailOf(run: string, attempt: AttemptRecord, reach: number): Promise<Buffer> {
    const from = Math.max(0, attempt.logBytes - reach);
    if (from === attempt.logBytes) return Buffer.alloc(0);
    const chunks = await this.#options.reader.log({ run, attempt: attempt.number, from });
    const begin = chunks[0]?.start ?? from;
    return Buffer.concat(chunks.map(({ data }) => data)).subarray(Math.max(0, from - begin));
  }

  #forgetEnded(): void {
    for (const key of this.#maskers.keys()) {
      const [run = ''] = key.split('.', 1);
      if (!this.#options.isOpen(run)) this.#maskers.delete(key);
    }
  }
}

function hasSecrets({ spec }: RunRecord): boolean {
  return spec.secrets !== undefined && spec.secrets.length > 0;
}

function keyOf(run: RunRecord, attempt: AttemptRecord): string {
  return `${run.id}.${attempt.number}`;
}
