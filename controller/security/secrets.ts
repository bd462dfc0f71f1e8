import { messageOf } from '@understudy/shared/runtime/errors';
import type { Keystore, Sealed } from '@understudy/shared/runtime/keystore';
import type { Changes } from '../store/changes.ts';
import { committed, momentOf, requireStore, type TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import { type By, NOBODY } from './audit.ts';
import type { Keyring, SealedWith, Subject } from './keyring.ts';

/** A secret as it lies in the database: encrypted. */
export interface SecretRecord extends SealedWith {
  readonly name: string;
  /** What it was before, newest first, while runs that were given it are under way. */
  readonly former: readonly Sealed[];
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
  readonly updatedBy: string;
}

/** What still needs a secret. */
export interface SecretUse {
  readonly jobs: readonly string[];
  /** Runs that are not over. */
  readonly runs: number;
}

export interface SecretBookOptions {
  readonly keyring: Keyring;
  readonly apply: (changes: Changes) => Promise<unknown>;
  readonly useOf: (name: string) => SecretUse;
}

/** The values of secrets, or why not all of them can be had. */
export type Unsealed =
  | { readonly type: 'values'; readonly values: Readonly<Record<string, string>> }
  | { readonly type: 'unusable'; readonly problem: string };

/** A value, or why it can't be had. */
interface Opened {
  readonly problem: string | null;
  readonly text: string;
}

/** All of them are kept in memory, as they lie in the database. */
const MOST_SECRETS = 10_000;
const MOST_FORMER = 8;

/** The secrets of the pair. A value is decrypted when an order needs it, and given to nobody else. */
export class SecretBook {
  readonly #context: TenureContext;
  readonly #options: SecretBookOptions;
  /** As decided. */
  readonly #decided = new Map<string, SecretRecord>();
  readonly #committed = new Map<string, SecretRecord>();

  constructor(context: TenureContext, options: SecretBookOptions) {
    this.#context = context;
    this.#options = options;
  }

  load(records: readonly SecretRecord[]): void {
    this.decide(records);
    this.noteStored(records);
  }

  /** All secrets, by name. */
  list(): SecretRecord[] {
    return [...this.#committed.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): SecretRecord {
    const record = this.#committed.get(name);
    if (record === undefined) throw new Refusal('unknown-secret', `there is no secret ${name}`);
    return record;
  }

  /** Which of these are not stored. */
  missing(names: readonly string[]): string[] {
    return names.filter((name) => !this.#committed.has(name));
  }

  /** Stores a value, in place of another one if there is one. */
  async set(
    name: string,
    value: string,
    updatedBy: string,
    by: By = NOBODY,
  ): Promise<{ readonly record: SecretRecord; readonly isNew: boolean }> {
    const { keyring, apply, useOf } = this.#options;
    const sealed = keyring.seal(value, this.#subject(name));
    requireStore(this.#context);
    const old = this.#decided.get(name);
    if (old === undefined && this.#decided.size >= MOST_SECRETS) {
      throw new Refusal('too-many', `there are ${MOST_SECRETS} secrets: remove some`);
    }
    const isHeld = old !== undefined && useOf(name).runs > 0;
    const former = isHeld ? [old.sealed, ...old.former].slice(0, MOST_FORMER) : [];
    const { now: updatedAt } = momentOf(this.#context);
    const record = { name, ...sealed, former, updatedAt, updatedBy };
    this.#decided.set(name, record);
    const stored = apply({ secrets: [record], ...by }).then(() => {
      this.#committed.set(name, record);
    });
    await committed(this.#context, stored);
    return { record, isNew: old === undefined };
  }

  /** Removes a secret that nothing needs. */
  async remove(name: string, by: By = NOBODY): Promise<void> {
    requireStore(this.#context);
    if (!this.#decided.has(name)) {
      throw new Refusal('unknown-secret', `there is no secret ${name}`);
    }
    const { jobs, runs } = this.#options.useOf(name);
    if (jobs.length > 0 || runs > 0) {
      const what = jobs.length > 0 ? `jobs need it: ${jobs.join(', ')}` : `${runs} runs need it`;
      throw new Refusal('secret-in-use', `${name} can't be removed: ${what}`, { jobs, runs });
    }
    this.#decided.delete(name);
    const removed = this.#options.apply({ removedSecrets: [name], ...by }).then(() => {
      if (!this.#decided.has(name)) this.#committed.delete(name);
    });
    await committed(this.#context, removed);
  }

  /** The values of these secrets, for an order. */
  unseal(names: readonly string[]): Unsealed {
    const missing = this.missing(names);
    if (missing.length > 0) {
      return { type: 'unusable', problem: `not stored: secret ${missing.join(', ')}` };
    }
    const opened = names.map((name) => [name, this.#open(this.get(name))] as const);
    const damaged = opened.flatMap(([name, { problem }]) => (problem === null ? [] : [name]));
    if (damaged.length > 0) {
      const what = `secret ${damaged.join(', ')} can't be decrypted`;
      return { type: 'unusable', problem: `${what}: set it anew` };
    }
    const values = opened.map(([name, { text }]) => [name, text]);
    return { type: 'values', values: Object.fromEntries(values) };
  }

  /**
   * What must not be seen in the output of a run that was given these secrets, now or some time ago. What is
   * damaged in the database can't be known: nothing is given it any more.
   */
  hidden(names: readonly string[]): string[] {
    return names.flatMap((name) => {
      const record = this.#committed.get(name);
      if (record === undefined) return [];
      const { keyId } = record;
      const all = [record.sealed, ...record.former];
      return all
        .map((sealed) => this.#open({ name, keyId, sealed }))
        .flatMap(({ problem, text }) => (problem === null ? [text] : []));
    });
  }

  /** All secrets as they are decided, sealed with another key. */
  sealedWith(next: Keystore): SecretRecord[] {
    const { keyring } = this.#options;
    return [...this.#decided.values()].map((record) => {
      const { keyId, name } = record;
      const reseal = (sealed: Sealed) =>
        keyring.reseal({ keyId, sealed }, this.#subject(name), next);
      const former = record.former.map(reseal);
      return { ...record, keyId: next.id, sealed: reseal(record.sealed), former };
    });
  }

  /** Takes in what is decided, and about to be committed. */
  decide(records: readonly SecretRecord[]): void {
    for (const record of records) this.#decided.set(record.name, record);
  }

  /** Takes note of what was decided so, once it is committed. */
  noteStored(records: readonly SecretRecord[]): void {
    for (const record of records) this.#committed.set(record.name, record);
  }

  /** A row that somebody damaged must not end the process, which would be the same on every node. */
  #open(sealed: SealedWith & { readonly name: string }): Opened {
    const { name } = sealed;
    try {
      const text = this.#options.keyring.open(sealed, this.#subject(name));
      return { problem: null, text };
    } catch (error) {
      const problem = messageOf(error);
      this.#context.log.error('a secret cannot be decrypted: set it anew', { name, problem });
      return { problem, text: '' };
    }
  }

  #subject(name: string): Subject {
    return { about: `${this.#context.pair}/secret/${name}`, name: `secret ${name}` };
  }
}
