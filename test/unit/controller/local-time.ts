const MINUTE = 60_000;

/** Where clocks change, and when: the instants of the changes lie within these days. */
export const clockChanges = [
  ['Europe/Rome', '2026-03-29'],
  ['Europe/Rome', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['America/Havana', '2026-03-08'],
  ['Africa/Cairo', '2026-04-24'],
  ['Asia/Kolkata', '2026-03-29'],
] as const;

/** Local times of a zone over some days, minute by minute, as the runtime's own calendar has them. */
export class LocalTime {
  readonly #instants = new Map<string, number[]>();
  readonly #local = new Map<number, string>();
  readonly from: number;
  readonly to: number;

  constructor(timezone: string, day: string) {
    const noon = Date.parse(`${day}T12:00:00Z`);
    [this.from, this.to] = [noon - 2_880 * MINUTE, noon + 2_880 * MINUTE];
    const format = new Intl.DateTimeFormat('sv-SE', {
      ...{ timeZone: timezone, dateStyle: 'short', timeStyle: 'short' },
    });
    for (let at = this.from; at < this.to; at += MINUTE) {
      const local = format.format(at);
      this.#local.set(at, local);
      const known = this.#instants.get(local);
      if (known === undefined) this.#instants.set(local, [at]);
      else known.push(at);
    }
  }

  /** Every minute that passes, with its local hour and minute. */
  passing(isWanted: (hour: number, minute: number) => boolean): number[] {
    return [...this.#local].filter(([, local]) => isWanted(...partsOf(local))).map(([at]) => at);
  }

  /** Every minute that a calendar on the wall has: where it comes twice the first, where never as much later. */
  onTheWall(isWanted: (hour: number, minute: number) => boolean): number[] {
    const found = new Set<number>();
    const [first = '', last = ''] = [...this.#local.values()].flatMap((local, index, all) =>
      index === 0 || index === all.length - 1 ? [local] : [],
    );
    const wall = (local: string) => Date.parse(`${local.replace(' ', 'T')}:00Z`);
    let offset = 0;
    for (let at = wall(first); at <= wall(last); at += MINUTE) {
      const local = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
      const [instant] = this.#instants.get(local) ?? [];
      if (instant !== undefined) offset = at - instant;
      if (isWanted(...partsOf(local))) found.add(instant ?? at - offset);
    }
    return [...found].toSorted((a, b) => a - b);
  }
}

function partsOf(local: string): [hour: number, minute: number] {
  return [Number(local.slice(11, 13)), Number(local.slice(14, 16))];
}
