import { hash, randomBytes } from 'node:crypto';
import type { Role } from '@understudy/shared/protocol/rights';
import type { Changes } from '../store/changes.ts';
import { committed, momentOf, requireStore, type TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import { type By, NOBODY } from './audit.ts';
import { type Caller, PAIR_CALLER } from './roles.ts';

/** A token that was made. Of its value only the hash is known: it is 256 random bits, which no hash gives away. */
export interface TokenRecord {
  readonly name: string;
  readonly role: Role;
  /** The only agent that may present it; null: it is bound to none. */
  readonly agent: string | null;
  /** SHA-256 of the value, in hexadecimal. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly createdBy: string;
  /** Null: valid until it is revoked. */
  readonly expiresAt: number | null;
}

export interface TokenRequest {
  readonly name: string;
  readonly role: Role;
  readonly agent: string | null;
  readonly expiresInMs: number | null;
}

interface Entry {
  readonly record: TokenRecord;
  readonly caller: Caller;
  readonly over: AbortController;
}

/** All of them are kept in memory. */
const MOST_TOKENS = 10_000;
const VALUE_BYTES = 32;
/** Tells people, and scanners of sources, what it is. */
const PREFIX = 'ust_';

/**
 * The tokens of the pair, in memory: who presents one is known without asking the database. One that is
 * revoked is refused from that moment on, and what it had opened is closed, before that is committed.
 */
export class TokenBook {
  readonly #context: TenureContext;
  readonly #apply: (changes: Changes) => Promise<unknown>;
  /** As decided. */
  readonly #byName = new Map<string, Entry>();
  /** Those that are valid: committed, and not revoked. */
  readonly #byHash = new Map<string, Entry>();

  constructor(context: TenureContext, apply: (changes: Changes) => Promise<unknown>) {
    this.#context = context;
    this.#apply = apply;
  }

  load(records: readonly TokenRecord[]): void {
    for (const record of records) this.#validate(this.#add(record));
  }

  /** All that are valid, by name; those that have expired too, so that somebody can see why they fail. */
  list(): TokenRecord[] {
    return [...this.#byHash.values()]
      .map(({ record }) => record)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Who presents the token with this hash; null when it is none of ours, or not valid any more. */
  callerOf(hash: string): Caller | null {
    const entry = this.#byHash.get(hash);
    if (entry === undefined) return null;
    const { expiresAt } = entry.record;
    if (expiresAt !== null && expiresAt <= this.#context.clock.wallMs()) {
      entry.over.abort();
      return null;
    }
    return entry.caller;
  }

  /** Makes a token. Its value is given here and nowhere else. */
  async create(
    { name, role, agent, expiresInMs }: TokenRequest,
    createdBy: string,
    by: By = NOBODY,
  ): Promise<{ readonly record: TokenRecord; readonly value: string }> {
    requireStore(this.#context);
    if (name === PAIR_CALLER || this.#byName.has(name)) {
      throw new Refusal('token-exists', `there is a token ${name} already`);
    }
    if (this.#byName.size >= MOST_TOKENS) {
      throw new Refusal('too-many', `there are ${MOST_TOKENS} tokens: revoke some`);
    }
    const value = PREFIX + randomBytes(VALUE_BYTES).toString('base64url');
    const { now } = momentOf(this.#context);
    const expiresAt = expiresInMs === null ? null : now + expiresInMs;
    const hash = hashOf(value);
    const record = { name, role, agent, hash, createdAt: now, createdBy, expiresAt };
    const entry = this.#add(record);
    // Whoever asked may wait no longer, and the token be there nevertheless.
    const made = this.#apply({ tokens: [record], ...by }).then(() => this.#validate(entry));
    await committed(this.#context, made);
    return { record, value };
  }

  async revoke(name: string, by: By = NOBODY): Promise<void> {
    requireStore(this.#context);
    const entry = this.#byName.get(name);
    if (entry === undefined) throw new Refusal('unknown-token', `there is no token ${name}`);
    this.#byName.delete(name);
    this.#byHash.delete(entry.record.hash);
    entry.over.abort();
    await committed(this.#context, this.#apply({ revokedTokens: [name], ...by }));
  }

  #add(record: TokenRecord): Entry {
    const over = new AbortController();
    const { name, role, agent } = record;
    const caller = { name, roles: [role], agent, over: over.signal };
    const entry = { record, caller, over };
    this.#byName.set(record.name, entry);
    return entry;
  }

  #validate(entry: Entry): void {
    // It may have been revoked before it was committed.
    if (this.#byName.get(entry.record.name) === entry) this.#byHash.set(entry.record.hash, entry);
  }
}

/** How a token is known: its SHA-256, in hexadecimal. */
export function hashOf(token: string): string {
  return hash('sha256', token, 'hex');
}
