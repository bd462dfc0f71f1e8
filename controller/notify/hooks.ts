import { formatTerm } from '@understudy/shared/kernel/term';
import type { Hook } from '@understudy/shared/protocol/hooks';
import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { By } from '../security/audit.ts';
import type { Keyring } from '../security/keyring.ts';
import type { Batch } from '../store/changes.ts';
import type { HookRecord, NewDelivery } from '../store/hook-records.ts';
import type { NewEvent } from '../store/records.ts';
import { committed, momentOf, requireStore, type TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import type { WorkState } from '../work/state.ts';
import { HookSecrets } from './hook-secrets.ts';
import { noticeOf, toldOf } from './notices.ts';

const MOST_HOOKS = 100;

/** Keeps the web hooks, and says of each event which of them are told. */
export class HookService {
  readonly #context: TenureContext;
  readonly #state: Pick<WorkState, 'apply'>;
  readonly #secrets: HookSecrets;
  /** As decided. */
  readonly #hooks = new Map<string, HookRecord>();
  readonly #committed = new Map<string, HookRecord>();

  constructor(context: TenureContext, state: Pick<WorkState, 'apply'>, keyring: Keyring) {
    this.#context = context;
    this.#state = state;
    this.#secrets = new HookSecrets(context.pair, keyring);
  }

  load(hooks: readonly HookRecord[]): void {
    for (const hook of hooks) {
      this.#hooks.set(hook.name, hook);
      this.#committed.set(hook.name, hook);
    }
  }

  /** Seals what an earlier version stored as it was given. Without a key store it stays as it is. */
  sealPlain(): void {
    const sealed = [...this.#hooks.values()].flatMap((hook): HookRecord[] => {
      if (hook.secret?.type !== 'plain') return [];
      if (!this.#secrets.canSeal) {
        const { name } = hook;
        this.#context.log.warn('the secret of a hook is not encrypted: set keystore', { name });
        return [];
      }
      return [{ ...hook, secret: this.#secrets.seal(hook, hook.secret.text) }];
    });
    if (sealed.length === 0) return;
    this.decide(sealed);
    void this.#state.apply({ hooks: sealed });
  }

  /** The hooks whose notices are signed, with what signs them sealed with another key. */
  sealedWith(next: Keystore): HookRecord[] {
    return [...this.#hooks.values()].flatMap((hook) => {
      const secret = this.#secrets.resealed(hook, next);
      return secret === null ? [] : [{ ...hook, secret }];
    });
  }

  /** Takes in what is decided, and about to be committed. */
  decide(hooks: readonly HookRecord[]): void {
    for (const hook of hooks) this.#hooks.set(hook.name, hook);
  }

  /** What signs the notices of a hook; null: nothing does. */
  secretOf(hook: HookRecord): string | null {
    return this.#secrets.open(hook);
  }

  noteCommitted({ hooks }: Pick<Batch, 'hooks'>): void {
    for (const [name, hook] of hooks) {
      if (hook === null) this.#committed.delete(name);
      else this.#committed.set(name, hook);
    }
  }

  /** All hooks, by name. */
  all(): HookRecord[] {
    return [...this.#committed.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  get(name: string): HookRecord {
    const hook = this.#committed.get(name);
    if (hook === undefined) throw new Refusal('unknown-hook', `there is no hook ${name}`);
    return hook;
  }

  /** Creates or replaces a hook. What it was to be told before, it is told as it is now. */
  async apply(
    name: string,
    { secret, ...definition }: Hook,
    by: By,
  ): Promise<{ hook: HookRecord; isNew: boolean }> {
    requireStore(this.#context);
    const { now } = momentOf(this.#context);
    const old = this.#hooks.get(name);
    if (old === undefined && this.#hooks.size >= MOST_HOOKS) {
      throw new Refusal('too-many', `there are ${MOST_HOOKS} hooks already`);
    }
    const id = old?.id ?? this.#context.newId();
    const hook: HookRecord = {
      name,
      id,
      definition,
      secret: this.#secretFor({ id, name }, secret, old),
      createdAt: old?.createdAt ?? now,
      updatedAt: now,
    };
    this.#hooks.set(name, hook);
    const message = `hook ${name} was ${old === undefined ? 'created' : 'changed'}`;
    const event = { at: now, kind: 'hook-applied', subject: name, message, facts: {} } as const;
    await committed(this.#context, this.#state.apply({ hooks: [hook], events: [event], ...by }));
    return { hook, isNew: old === undefined };
  }

  /** What it was still to be told is told to nobody. */
  async delete(name: string, by: By): Promise<void> {
    requireStore(this.#context);
    this.get(name);
    this.#hooks.delete(name);
    const { now } = momentOf(this.#context);
    const message = `hook ${name} was deleted`;
    const event = { at: now, kind: 'hook-deleted', subject: name, message, facts: {} } as const;
    await committed(
      this.#context,
      this.#state.apply({ deletedHooks: [name], events: [event], ...by }),
    );
  }

  /** What is to be told of these events, to be committed with them. */
  deliveriesOf(events: readonly NewEvent[]): NewDelivery[] {
    if (this.#hooks.size === 0) return [];
    return events.flatMap((event) => {
      const told = toldOf(event);
      if (told === null) return [];
      return [...this.#hooks.values()]
        .filter(({ definition: { events: wanted, jobs } }) => {
          const isOfJob = told.job === null || jobs === null || jobs.includes(told.job);
          return isOfJob && wanted.includes(told.event);
        })
        .map((hook) => this.#deliveryTo(hook, event, told));
    });
  }

  /** Left out, the one there was stays; null: none. */
  #secretFor(
    hook: Pick<HookRecord, 'id' | 'name'>,
    wanted: Hook['secret'],
    old: HookRecord | undefined,
  ): HookRecord['secret'] {
    if (wanted === undefined) return old?.secret ?? null;
    return wanted === null ? null : this.#secrets.seal(hook, wanted);
  }

  #deliveryTo(
    hook: HookRecord,
    event: NewEvent,
    told: NonNullable<ReturnType<typeof toldOf>>,
  ): NewDelivery {
    const { pair, term, newId } = this.#context;
    const id = newId();
    const notice = noticeOf(event, told, { id, pair, term: formatTerm(term) });
    const { subject } = event;
    return {
      hook: hook.id,
      id,
      event: told.event,
      subject,
      at: event.at,
      body: JSON.stringify(notice),
    };
  }
}
