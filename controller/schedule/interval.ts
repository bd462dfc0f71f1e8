import type { Instants } from './backlog.ts';

/** Every so many milliseconds from an anchor on; none lies before it. */
export function intervalInstants(everyMs: number, anchor: number): Instants {
  return (after) => {
    const passed = Math.floor((after - anchor) / everyMs) + 1;
    let next = anchor + Math.max(0, passed) * everyMs;
    return () => {
      const at = next;
      next += everyMs;
      return at;
    };
  };
}

/** One instant and no other. */
export function onceInstants(at: number): Instants {
  return (after) => {
    let isLeft = at > after;
    return () => {
      if (!isLeft) return null;
      isLeft = false;
      return at;
    };
  };
}
