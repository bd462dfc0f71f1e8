/** Which runs follow the end of others. Pure. */
import type { After, RunState } from '@understudy/shared/protocol/api';

/** Whether the end of a run is one after which another follows. What was skipped never was, and has no end. */
export function isFollowed(on: After['on'], state: RunState): boolean {
  switch (state) {
    case 'succeeded':
      return on !== 'failed';
    case 'failed':
    case 'timed-out':
    case 'lost':
      return on !== 'succeeded';
    case 'cancelled':
      return on === 'ended';
    case 'skipped':
    case 'queued':
    case 'dispatched':
    case 'running':
      return false;
  }
}

/**
 * By it the run that follows exists once, whoever makes it. Keys of users have no space, so none of them is
 * taken for it.
 */
export function keyOfFollower(cause: string): string {
  return `after ${cause}`;
}

/** The run whose end a run follows; null: it follows none. */
export function causeOf(idempotencyKey: string | null): string | null {
  return /^after (\S+)$/.exec(idempotencyKey ?? '')?.[1] ?? null;
}

/** By job, the jobs that run after it. */
export class FollowerIndex {
  readonly #causes = new Map<string, readonly After[]>();
  readonly #followers = new Map<string, Map<string, readonly After['on'][]>>();

  /** Takes in what a job runs after: from now on only that. */
  set(name: string, after: readonly After[]): void {
    const known = this.#causes.get(name) ?? [];
    if (known === after || (known.length === 0 && after.length === 0)) return;
    for (const { job } of known) this.#forget(job, name);
    this.#causes.delete(name);
    if (after.length > 0) this.#causes.set(name, after);
    for (const { job, on } of after) {
      const followers = this.#followers.get(job) ?? new Map<string, readonly After['on'][]>();
      followers.set(name, [...(followers.get(name) ?? []), on]);
      this.#followers.set(job, followers);
    }
  }

  /** The jobs of which a run follows the end of a run of this one in that state. */
  of(job: string, state: RunState): string[] {
    const followers = this.#followers.get(job);
    if (followers === undefined) return [];
    return [...followers]
      .filter(([, ends]) => ends.some((on) => isFollowed(on, state)))
      .map(([name]) => name);
  }

  /** If a job ran after these: how it would come to run after itself. Null: it would not. */
  loopOf(name: string, after: readonly After[]): string[] | null {
    const seen = new Set<string>();
    const paths = after.map(({ job }) => [name, job]);
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const last = path.at(-1) ?? name;
      if (last === name) return path.toReversed();
      if (seen.has(last)) continue;
      seen.add(last);
      for (const { job } of this.#causes.get(last) ?? []) paths.push([...path, job]);
    }
    return null;
  }

  #forget(job: string, name: string): void {
    const followers = this.#followers.get(job);
    if (followers?.delete(name) && followers.size === 0) this.#followers.delete(job);
  }
}
