import type { LeaseRow } from '@understudy/heartbeat/lease/port';
import type {
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
  Story,
} from '@understudy/heartbeat/role/state';
import { initialRole, stepRole } from '@understudy/heartbeat/role/step';
import { exploredOptions } from '@understudy/scripts/diagram/explore-role';

/** A lease that `b` let go, in term 4. */
export const free: LeaseRow = {
  term: 4n,
  holder: { node: 'b', incarnation: 'other' },
  renewSeq: 0n,
  released: true,
  storeSaysExpired: false,
  ttlMs: 1_000,
  timeline: 1,
  remainingMs: 1_000,
  pausedForMs: null,
};
export const heldByB: LeaseRow = { ...free, released: false };
export const ours: LeaseRow = { ...heldByB, term: 5n, holder: exploredOptions.self };

/** A machine under test: remembers its state, what it asked for and what it told. */
export class Machine {
  readonly options: RoleOptions;
  state: RoleState;
  effects: RoleEffect[] = [];
  readonly stories: Story[] = [];

  constructor(options: Partial<RoleOptions> = {}, predecessor: string | null = null) {
    this.options = { ...exploredOptions, ...options };
    this.state = initialRole(0, predecessor);
  }

  feed(now: number, ...events: readonly RoleEvent[]): this {
    for (const event of events) {
      const step = stepRole(this.state, event, now, this.options);
      this.state = step.state;
      this.effects = step.effects.filter((effect) => effect.kind !== 'tell');
      for (const effect of step.effects) {
        if (effect.kind === 'tell') this.stories.push(effect.story);
      }
    }
    return this;
  }

  get asked(): readonly string[] {
    return this.effects.map((effect) => effect.kind);
  }

  get told(): readonly string[] {
    return this.stories.map(({ kind }) => kind);
  }
}

/** A node whose controller is warm. */
export function warm(
  options: Partial<RoleOptions> = {},
  predecessor: string | null = null,
): Machine {
  return new Machine(options, predecessor).feed(
    0,
    { kind: 'tick' },
    { kind: 'controller-starting' },
    { kind: 'controller-ready' },
  );
}

/** A node that serves in term 5 and trusts itself until 910, unless it renews. */
export function serving(options: Partial<RoleOptions> = {}): Machine {
  return warm(options)
    .feed(10, { kind: 'lease-read', row: free })
    .feed(20, { kind: 'claim-granted', sentAt: 10, row: ours })
    .feed(30, { kind: 'controller-serving', term: 5n });
}
