import type { Instants, Walk } from './backlog.ts';

/**
 * From the time that a clock on the wall shows to instants, also on days on which it is put forward or back.
 * Pure. Wall times are numbers as well: what they would be as instants in UTC.
 */
export interface WallTime {
  /** The wall times of a schedule, as if no clock were ever changed. */
  readonly walls: Instants;
  /** How far the wall is ahead of UTC at an instant, in milliseconds. */
  readonly offsetAt: (instant: number) => number;
  /**
   * Whether the schedule follows the time that passes: then a wall time that is shown twice comes twice, and
   * one that is left out not at all. Else it comes once: the first time, or as much later.
   */
  readonly isPassing: boolean;
}

interface Found {
  /** When the wall shows it for the first time. */
  readonly at: number;
  /** When it shows it again. */
  readonly again: number | null;
  readonly isLeftOut: boolean;
}

const DAY_MS = 86_400_000;
/** No clock is put forward or back by more. */
const LARGEST_CHANGE_MS = 3 * 3_600_000;

/** The instants of a schedule in the time of a wall clock. */
export function wallInstants(wallTime: WallTime): Instants {
  return (after) => {
    const { walls, offsetAt, isPassing } = wallTime;
    const isChanging = offsetAt(after - LARGEST_CHANGE_MS) !== offsetAt(after + LARGEST_CHANGE_MS);
    // Wall times that are over by now may come still, or come again.
    const runUpMs = isChanging ? 2 * LARGEST_CHANGE_MS : 0;
    const walk = walls(after + offsetAt(after) - runUpMs);
    /** What comes later than wall times that follow it. */
    const delayed: number[] = [];
    let ahead: number | null = null;

    const pull = (): number | null => {
      for (let wall = walk(); wall !== null; wall = walk()) {
        const { at, again, isLeftOut } = instantsOfWall(wall, offsetAt);
        if (isLeftOut) {
          if (!isPassing) delayed.push(at);
          continue;
        }
        if (isPassing && again !== null) delayed.push(again);
        return at;
      }
      return null;
    };

    return increasing(after, () => {
      ahead ??= pull();
      const [first] = delayed;
      if (first !== undefined && (ahead === null || first <= ahead)) {
        delayed.shift();
        return first;
      }
      const next = ahead;
      ahead = null;
      return next;
    });
  };
}

/** Of a walk only what is after an instant, and each once. */
function increasing(after: number, walk: Walk): Walk {
  let last = after;
  return () => {
    let at = walk();
    while (at !== null && at <= last) at = walk();
    last = at ?? last;
    return at;
  };
}

function instantsOfWall(wall: number, offsetAt: WallTime['offsetAt']): Found {
  const [before, after] = [offsetAt(wall - DAY_MS), offsetAt(wall + DAY_MS)];
  const at = wall - before;
  if (before === after) return { at, again: null, isLeftOut: false };
  const isShownBefore = offsetAt(at) === before;
  const isShownAfter = offsetAt(wall - after) === after;
  if (isShownBefore) return { at, again: isShownAfter ? wall - after : null, isLeftOut: false };
  // Counted on by the clock as it was: as much later as it was put forward.
  return { at: isShownAfter ? wall - after : at, again: null, isLeftOut: !isShownAfter };
}
