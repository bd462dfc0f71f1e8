import type { Job } from '@understudy/shared/protocol/api';
import { neededParameters } from '@understudy/shared/protocol/parameters';
import { Refusal } from './refusal.ts';

/** Refuses a job whose runs are to begin by themselves, and need to be given parameters. */
export function checkParameters({ parameters, schedule }: Job): void {
  const [name] = schedule === null ? [] : neededParameters(parameters);
  if (name === undefined) return;
  const field = `parameters.${name}.default`;
  const expected = 'a default: nobody gives parameters to a run that is scheduled';
  throw new Refusal('invalid', `${field}: expected ${expected}`, [
    { field, value: null, expected },
  ]);
}

/** Refuses what would never run, so that nobody would be told. */
export function checkNotPast({ schedule }: Job, now: number): void {
  if (schedule === null || !('at' in schedule) || Date.parse(schedule.at) > now) return;
  const [field, value, expected] = ['schedule.at', schedule.at, 'an instant that is still to come'];
  throw new Refusal('invalid', `${field}: expected ${expected}`, [{ field, value, expected }]);
}
