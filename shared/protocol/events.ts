import { z } from 'zod';

/**
 * What a heartbeat did, or did not do, about the role of its node, and why. Each event carries what was
 * seen (`evidence`) and the rule that decided (`rule`), in words for people. `at` is the wall clock of the
 * node that tells it; `id` holds that instant, the node and the number, so it is a cursor by itself.
 */
export const pairEventSchema = z.object({
  id: z.string(),
  at: z.string(),
  node: z.string(),
  incarnation: z.string(),
  /** Counts the events of one incarnation. */
  seq: z.number().int(),
  /** The term that it is about; null when it is about none. */
  term: z.string().nullable(),
  kind: z.string(),
  message: z.string(),
  rule: z.string().nullable(),
  evidence: z.string().nullable(),
  facts: z.record(z.string(), z.unknown()),
});
export type PairEvent = Readonly<z.infer<typeof pairEventSchema>>;

/** What `GET /events` of a heartbeat answers: oldest first. */
export const pairEventsSchema = z.object({
  items: z.array(pairEventSchema),
  /** The cursor for `?after=`; null on the last page. */
  next: z.string().nullable(),
  /** `memory`: the database did not answer, so these are the events of this node's heartbeat alone. */
  source: z.enum(['database', 'memory']),
  /** Why the database did not answer; null when it did. */
  problem: z.string().nullable(),
  /** Events of this heartbeat that were lost because the database was away for too long. */
  dropped: z.number().int(),
});
export type PairEvents = z.infer<typeof pairEventsSchema>;

/** The worst case by the settings for one kind of failure; the kinds are those of `kernel/promise`. */
export const worstCaseSchema = z.object({
  failure: z.string(),
  worstMs: z.number(),
  formula: z.string(),
});
export type WorstCaseView = Readonly<z.infer<typeof worstCaseSchema>>;

/** What fail-overs and switch-overs really took, for one kind of failure. */
export const measuredSchema = z.object({
  failure: z.string(),
  count: z.number().int(),
  /** The longest of them. */
  worstMs: z.number(),
  last: z.object({
    interruptedMs: z.number(),
    at: z.string(),
    term: z.string().nullable(),
    from: z.string().nullable(),
    to: z.string(),
    /** How it is known, for instance `demotion-to-serving`. */
    measured: z.string(),
    event: z.string(),
  }),
});
export type MeasuredView = Readonly<z.infer<typeof measuredSchema>>;

/** Where an event stands among all events of the pair. */
export interface EventPlace {
  readonly atMs: number;
  readonly node: string;
  readonly seq: number;
}

/** The id of the event at a place. Eight digits of base 36 hold the milliseconds until the year 2059. */
export function eventId({ atMs, node, seq }: EventPlace): string {
  return `${Math.trunc(atMs).toString(36).padStart(8, '0')}-${node}-${seq}`;
}

/** The place that an id names; null when it is no id of an event. */
export function eventPlace(id: string): EventPlace | null {
  const match = /^([0-9a-z]{8})-([^\s/]{1,200})-(\d{1,12})$/.exec(id);
  if (match === null) return null;
  const [, instant = '', node = '', seq = ''] = match;
  return { atMs: Number.parseInt(instant, 36), node, seq: Number(seq) };
}

/** The order of events: by time, then by node, then by number. */
export function comparePlaces(a: EventPlace, b: EventPlace): number {
  if (a.atMs !== b.atMs) return a.atMs - b.atMs;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  return a.seq - b.seq;
}

/** Lists of events from several sources as one: each event once, oldest first. */
export function mergeEvents(...lists: readonly (readonly PairEvent[])[]): PairEvent[] {
  const known = new Map(lists.flat().map((event) => [event.id, event]));
  return [...known.values()].sort((a, b) => comparePlaces(placeOf(a), placeOf(b)));
}

/** Where an event stands. */
export function placeOf(event: PairEvent): EventPlace {
  return { atMs: Date.parse(event.at), node: event.node, seq: event.seq };
}
