import type { RunState } from '@understudy/shared/protocol/api';
import type { RunFilter } from '../history/run-filter.ts';
import { idAt } from './ids.ts';
import type { Row } from './rows.ts';

export type Select = (text: string, values: readonly unknown[]) => Promise<Row[]>;

export interface FindOptions {
  readonly pair: string;
  readonly select: Select;
  /** The time that has passed, for the limit of the search. */
  readonly nowMs: () => number;
}

/** The ids of runs, newest first, and where to go on; null: all has been looked through. */
export interface FoundIds {
  readonly ids: readonly string[];
  readonly next: string | null;
}

/** So many runs are looked through at once, at first and at most. */
const FIRST_BLOCK = 1_000;
const LARGEST_BLOCK = 16_000;
/** A block that takes longer than this is not followed by a larger one. */
const BLOCK_LIMIT_MS = 100;
/** No new block is begun later: who asks goes on where this page ends. */
const SEARCH_LIMIT_MS = 400;

/**
 * Finds a page of runs in bounded time, whatever is asked for and however many runs there are. An index
 * gives candidates, newest first; what it does not decide is decided by looking at them, block by block.
 * Ids rise with time, so a run that is made meanwhile moves no other to another page.
 */
export async function findRuns(filter: RunFilter, options: FindOptions): Promise<FoundIds> {
  const { limit } = filter;
  const search = planSearch(filter, options.pair);
  const startedAt = options.nowMs();
  const found: string[] = [];
  let after = filter.after;
  let block = search.isExact ? limit + 1 : Math.max(FIRST_BLOCK, limit + 1);
  for (;;) {
    const { text, values } = search.block(after, block, limit + 1 - found.length);
    const begunAt = options.nowMs();
    const [row] = await options.select(text, values);
    const { ids, last, count } = row as { ids: string[]; last: string | null; count: number };
    found.push(...ids);
    if (found.length > limit) {
      const page = found.slice(0, limit);
      return { ids: page, next: page.at(-1) ?? null };
    }
    if (count < block || last === null) return { ids: found, next: null };
    const now = options.nowMs();
    if (now - startedAt > SEARCH_LIMIT_MS) return { ids: found, next: last };
    if (now - begunAt < BLOCK_LIMIT_MS) block = Math.min(LARGEST_BLOCK, block * 4);
    after = last;
  }
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

interface Search {
  /** Nearly every candidate is one of those that are looked for. */
  readonly isExact: boolean;
  /** Looks through `size` candidates after one; answers the first hits, the last candidate, and how many there were. */
  block(after: string | null, size: number, hits: number): Statement;
}

const failed: readonly RunState[] = ['failed', 'timed-out', 'cancelled', 'lost', 'skipped'];
const open: readonly RunState[] = ['queued', 'dispatched', 'running'];

function planSearch(filter: RunFilter, pair: string): Search {
  const { job, states, agent, text } = filter;
  const hasIndex = states.length > 0 && states.every((state) => state !== 'succeeded');
  const ofFailed = states.filter((state) => failed.includes(state));
  const ofOpen = states.some((state) => open.includes(state));
  const isCovered = states.length === 0 || (hasIndex && !ofOpen);
  return {
    isExact:
      text === null && isCovered && (agent === null || (job === null && states.length === 0)),
    block: (after, size, hits) => {
      const query = new Query(pair, { ...filter, after });
      const branches = [
        ...(agent !== null ? [query.ofAgent(agent, size)] : []),
        ...(agent === null && hasIndex ? ofFailed.map((state) => query.ofFailed(state, size)) : []),
        ...(agent === null && hasIndex && ofOpen ? [query.ofOpen(size)] : []),
        ...(agent === null && !hasIndex ? [query.ofAll(size)] : []),
      ];
      return query.block(branches, size, hits);
    },
  };
}

/** Writes one query. Numbers of rows are ours, and stand in its text; all else is a parameter. */
class Query {
  readonly #values: unknown[];
  readonly #filter: RunFilter;
  readonly #range: (id: string) => string;
  readonly #hit: string;

  constructor(pair: string, filter: RunFilter) {
    this.#values = [pair];
    this.#filter = filter;
    const bounds = [
      ...this.#with('<', filter.after),
      // Ids hold the instant at which they were made, or a little later: many were made at once.
      ...this.#with('>=', filter.since === null ? null : idAt(filter.since)),
      ...this.#with('<', filter.until === null ? null : idAt(filter.until + ID_AHEAD_MS)),
    ];
    this.#range = (id) => bounds.map((bound) => ` and ${id} ${bound}`).join('');
    this.#hit = this.#hitCondition();
  }

  ofAgent(agent: string, size: number): string {
    const ids = `select distinct run as id from attempt
      where pair = $1 and agent = ${this.#value(agent)}${this.#range('run')} order by run desc limit ${size}`;
    return `(select tried.id, ${this.#hit} as hit from (${ids}) tried
      left join run on run.pair = $1 and run.id = tried.id)`;
  }

  ofFailed(state: RunState, size: number): string {
    return this.#branch(`failed_as = ${this.#value(state)}${this.#ofJob()}`, size);
  }

  ofOpen(size: number): string {
    return this.#branch('finished_at is null', size);
  }

  ofAll(size: number): string {
    return this.#branch(`true${this.#ofJob()}`, size);
  }

  block(branches: readonly string[], size: number, hits: number): Statement {
    const text = `with scanned as materialized (
        select id, hit from (${branches.join(' union all ')}) candidates order by id desc limit ${size})
      select (select count(*)::integer from scanned) as count,
        (select id from scanned order by id limit 1) as last,
        array(select id from scanned where hit order by id desc limit ${hits}) as ids`;
    return { text, values: this.#values };
  }

  #branch(condition: string, size: number): string {
    return `(select id, ${this.#hit} as hit from run
      where pair = $1 and ${condition}${this.#range('id')} order by id desc limit ${size})`;
  }

  #ofJob(): string {
    const { job } = this.#filter;
    return job === null ? '' : ` and job = ${this.#value(job)}`;
  }

  #hitCondition(): string {
    const { job, states, since, until, text } = this.#filter;
    const conditions: string[] = [];
    if (job !== null) conditions.push(`job = ${this.#value(job)}`);
    if (states.length > 0) conditions.push(`state = any(${this.#value(states)}::text[])`);
    if (since !== null)
      conditions.push(`created_at >= ${this.#value(instant(since))}::timestamptz`);
    if (until !== null) conditions.push(`created_at < ${this.#value(instant(until))}::timestamptz`);
    if (text !== null) {
      const wanted = `lower(${this.#value(text)})`;
      conditions.push(`(position(${wanted} in lower(coalesce(reason, ''))) > 0
        or (parameters <> '{}' and exists (select from jsonb_each_text(parameters) as given (name, value)
          where position(${wanted} in lower(given.name)) > 0
            or position(${wanted} in lower(given.value)) > 0)))`);
    }
    return conditions.length === 0 ? 'true' : `coalesce(${conditions.join(' and ')}, false)`;
  }

  #with(comparison: string, id: string | null): string[] {
    return id === null ? [] : [`${comparison} ${this.#value(id)}::uuid`];
  }

  #value(value: unknown): string {
    this.#values.push(value);
    return `$${this.#values.length}`;
  }
}

/** So far the instant in an id may be ahead of that at which its run was made. */
const ID_AHEAD_MS = 60_000;
function instant(ms: number): string {
  return new Date(ms).toISOString();
}
