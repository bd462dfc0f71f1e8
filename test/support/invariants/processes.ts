/** A process as /proc shows it, with the marker that it carries in its environment. */
export interface SeenProcess {
  readonly pid: number;
  /** The state letter of /proc/PID/stat. */
  readonly state: string;
  /** `<pair>/<node>/<incarnation>`, or of an agent; null without a marker. */
  readonly owner: string | null;
}

/** I13: nothing of an old incarnation lives. A zombie (Z, X) is dead: PID 1 may not reap. */
export function survivors(seen: readonly SeenProcess[], incarnation: string): string[] {
  return seen
    .filter(({ owner, state }) => owner?.endsWith(`/${incarnation}`) && !/[ZX]/.test(state))
    .map(({ pid, state }) => `I13: process ${pid} (${state}) of ${incarnation} still lives`);
}
