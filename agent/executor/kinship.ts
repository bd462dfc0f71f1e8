/** Which processes belong to which: by group, session, descent, and a mark in their environment. */

/** A living process, as /proc shows it. */
export interface Kin {
  readonly pid: number;
  /** Clock ticks since the boot; with the pid it names a process for good. */
  readonly startTime: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** With which it was started, each entry between two NULs; empty when it is not ours to read. */
  readonly environment: () => string;
}

export interface Descent {
  /** The process that all others come from; it may be gone. It began with a session of its own. */
  readonly root: number;
  /** Keys of processes that were seen to belong to it. */
  readonly known: ReadonlySet<string>;
  /** Whether an environment says that its process belongs to it. */
  readonly carries: (environment: string) => boolean;
  /** Whether there is such a process, in the table or not. */
  readonly isThere: (pid: number) => boolean;
}

/** The name of a process for good. */
export function keyOf({ pid, startTime }: Pick<Kin, 'pid' | 'startTime'>): string {
  return `${pid} ${startTime}`;
}

/**
 * Who of these processes belongs to a root. What runs under somebody's session or below somebody in the
 * tree of processes belongs to him; a session counts only when its first process does, or is gone.
 */
export function membersOf(descent: Descent, table: readonly Kin[]): Kin[] {
  const { root, known, carries, isThere } = descent;
  const members = new Map<number, Kin>();
  const sessions = new Set([root]);
  const add = (kin: Kin): void => {
    members.set(kin.pid, kin);
    if (kin.session === kin.pid || !isThere(kin.session)) sessions.add(kin.session);
  };
  for (const kin of table) {
    const isOwn = kin.pid === root || kin.group === root || kin.session === root;
    if (isOwn || known.has(keyOf(kin)) || carries(kin.environment())) add(kin);
  }
  // Who was begun outside of what /proc shows has the session 0.
  sessions.delete(0);
  for (let before = -1; before < members.size; ) {
    before = members.size;
    for (const kin of table) {
      if (members.has(kin.pid)) continue;
      if (members.has(kin.parent) || sessions.has(kin.session)) add(kin);
    }
  }
  return [...members.values()];
}
