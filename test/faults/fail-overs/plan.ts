import type { Dice } from '../../sim/kernel/dice.ts';

/** What makes another node active when it befalls the active one. */
export const failOverKinds = [
  'kill-controller',
  'freeze-controller',
  'kill-heartbeat',
  'freeze-heartbeat',
  'stop-heartbeat',
  'kill-host',
  'freeze-host',
  'database-dark',
  'isolate',
  'switch-over',
] as const;

/** What must be borne without one. */
export const borneKinds = ['kill-database', 'kill-agent'] as const;

export type StormKind = (typeof failOverKinds)[number] | (typeof borneKinds)[number];

/** What happens in turn: each begins when the one before is over and the pair is whole again. */
export interface PlannedStep {
  readonly kind: StormKind;
  readonly lastsMs: number;
}

export function isFailOver(kind: StormKind): boolean {
  return (failOverKinds as readonly StormKind[]).includes(kind);
}

/** So many fail-overs, of each kind before one comes again, with what must be borne in between. */
export function planFailOvers(dice: Dice, count: number): PlannedStep[] {
  const kinds: StormKind[] = [];
  while (kinds.length < count) {
    kinds.push(...shuffled(dice, failOverKinds).slice(0, count - kinds.length));
  }
  for (const kind of borneKinds) kinds.splice(1 + dice.below(kinds.length), 0, kind);
  return kinds.map((kind) => planned(dice, kind));
}

/** Just these. */
export function planKinds(dice: Dice, kinds: readonly StormKind[]): PlannedStep[] {
  return kinds.map((kind) => planned(dice, kind));
}

/** A database or an agent comes back soon; what concerns a host lasts until another one has taken over. */
function planned(dice: Dice, kind: StormKind): PlannedStep {
  const [least, most] = isFailOver(kind) ? [7_000, 10_000] : [2_000, 4_000];
  return { kind, lastsMs: Math.round(dice.between(least, most)) };
}

function shuffled<T>(dice: Dice, items: readonly T[]): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(dice.below(left.length), 1));
}
