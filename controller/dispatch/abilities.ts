import type { WorkerAbility } from '@understudy/shared/protocol/agent';
import type { RunSpec } from './run.ts';

/** What of a run says who can carry it out. */
export type Demands = Pick<
  RunSpec,
  'selector' | 'shell' | 'http' | 'module' | 'manner' | 'secrets'
>;

/** A space keeps it apart from every label that users can write. */
const labelOf = (ability: string) => `can ${ability}`;

/** What a worker can do, as labels beside its own. */
export function labelsOfAbilities(abilities: readonly string[]): Record<string, string> {
  return Object.fromEntries(abilities.map((ability) => [labelOf(ability), 'yes']));
}

/**
 * The selector of a run with what its agent must be able to do: an older agent would pass over what it
 * does not know, and run a command as the wrong user.
 */
export function selectorOf(spec: Demands): Record<string, string> {
  return { ...spec.selector, ...labelsOfAbilities(neededBy(spec)) };
}

function neededBy({ shell, http, module, manner, secrets = [] }: Demands): WorkerAbility[] {
  const needed: WorkerAbility[] = [];
  if (shell !== undefined) needed.push('shell');
  if (http !== undefined) needed.push('http');
  if (module !== undefined) needed.push('module');
  if ((manner?.cwd ?? null) !== null) needed.push('cwd');
  if ((manner?.user ?? null) !== null) needed.push('user');
  if (secrets.length > 0) needed.push('secrets');
  return needed;
}
