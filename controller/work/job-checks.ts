import type { Job } from '@understudy/shared/protocol/api';
import { neededParameters } from '@understudy/shared/protocol/parameters';
import type { FollowerIndex } from '../dispatch/after.ts';
import { Refusal } from './refusal.ts';

const MOST_SHOWN = 20;

/** Refuses a job whose runs are to begin by themselves, and need to be given parameters. */
export function checkParameters({ parameters, schedule, after }: Job): void {
  const beginsByItself = schedule !== null || after.length > 0;
  const [name] = beginsByItself ? neededParameters(parameters) : [];
  if (name === undefined) return;
  const field = `parameters.${name}.default`;
  const expected = 'a default: nobody gives parameters to a run that begins by itself';
  throw new Refusal('invalid', `${field}: expected ${expected}`, [
    { field, value: null, expected },
  ]);
}

/** Refuses a job that would come to run after itself. */
export function checkLoops({ name, after }: Job, followers: FollowerIndex): void {
  const loop = followers.loopOf(name, after);
  if (loop === null) return;
  const value = loop.slice(0, MOST_SHOWN).join(' -> ');
  throw new Refusal('invalid', `after: expected no loop, but there is ${value}`, [
    { field: 'after', value, expected: 'jobs that do not run after this one' },
  ]);
}

/** Refuses what would never run, so that nobody would be told. */
export function checkNotPast({ schedule }: Job, now: number): void {
  if (schedule === null || !('at' in schedule) || Date.parse(schedule.at) > now) return;
  const [field, value, expected] = ['schedule.at', schedule.at, 'an instant that is still to come'];
  throw new Refusal('invalid', `${field}: expected ${expected}`, [{ field, value, expected }]);
}
