import { matches, type RunFilter } from '@understudy/controller/history/run-filter';
import { findRuns } from '@understudy/controller/store/find-runs';
import { Reader } from '@understudy/controller/store/reader';
import { type RunState, runStates } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import type pg from 'pg';
import { type Store, serverFor } from '../support/store.ts';
import { fillRuns } from './fill.ts';

const prepared = serverFor(test);
const RUNS = 20_000;
const FROM = Date.UTC(2026, 0, 1);
const EVERY_MS = 60_000;

const anything: RunFilter = {
  ...{ job: null, states: [], agent: null, since: null, until: null, text: null, after: null },
  limit: 100,
};

async function filled(
  t: ExecutionContext,
  runs = RUNS,
): Promise<{ store: Store; reader: Reader; client: pg.Client }> {
  const store = await prepared(t);
  const client = await store.connect();
  await fillRuns(client, { pair: store.pair, runs, from: FROM, everyMs: EVERY_MS });
  const { database, schema, pair } = store;
  const reader = new Reader({ database, schema, pair, node: 'a', onAway: () => undefined });
  t.teardown(() => reader.close());
  return { store, reader, client };
}

/** All pages, one after the other. */
async function walk(
  reader: Reader,
  filter: RunFilter,
  between: () => Promise<void> = async () => undefined,
) {
  const ids: string[] = [];
  let after = filter.after;
  for (;;) {
    const page = await reader.listRuns({ ...filter, after });
    if (page.runs.length > filter.limit) throw new Error('a page holds more than was asked for');
    ids.push(...page.runs.map(({ id }) => id));
    if (page.next === null) return ids;
    after = page.next;
    await between();
  }
}

const filters: Readonly<Record<string, Partial<RunFilter>>> = {
  'nothing in particular': { limit: 1_000 },
  'one job': { job: 'job-3' },
  'one state': { states: ['lost'] },
  'several states': { states: ['failed', 'lost', 'timed-out'] },
  'open ones': { states: ['queued', 'running'] },
  'open and failed ones': { states: ['running', 'failed'], limit: 7 },
  'with those that succeeded': { states: ['succeeded', 'lost'], limit: 1_000 },
  'every state': { states: [...runStates], limit: 1_000 },
  'a state of a job': { states: ['failed', 'skipped'], job: 'job-4' },
  'an open state of a job': { states: ['running'], job: 'job-19' },
  'an agent': { agent: 'w2', limit: 1_000 },
  'an agent that only first attempts were on': { agent: 'w9', limit: 50 },
  'an agent and a state and a job': { agent: 'w9', states: ['lost', 'succeeded'], job: 'job-10' },
  'since an instant': { since: FROM + 19_000 * EVERY_MS },
  'until an instant': { until: FROM + 300 * EVERY_MS },
  'between two instants': {
    since: FROM + 500 * EVERY_MS,
    until: FROM + 900 * EVERY_MS,
    job: 'job-1',
  },
  'a text in a reason': { text: 'IS LOST', limit: 30 },
  'a text in the value of a parameter': { text: 'number-1400', limit: 3 },
  'a text in the name of a parameter': { text: 'zone', job: 'job-7' },
  'a text that nothing holds': { text: '100%_\\' },
  'a job that there never was': { job: 'none' },
  'an agent that there never was': { agent: 'none', states: ['failed'] },
};

test('every filter gives all that matches and nothing else, newest first, page by page', async (t) => {
  const { reader } = await filled(t);
  const all = await reader.runs(await walk(reader, { ...anything, limit: 1_000 }));
  t.is(all.length, RUNS);
  const newest = all.toSorted((a, b) => (a.id < b.id ? 1 : -1));
  for (const [what, wanted] of Object.entries(filters)) {
    const filter = { ...anything, ...wanted };
    const expected = newest.filter((run) => matches(run, filter)).map(({ id }) => id);
    t.deepEqual(await walk(reader, filter), expected, what);
  }
});

test('whoever pages while runs are made and end sees each run that was there once', async (t) => {
  const { store, reader, client } = await filled(t, 1_500);
  const before = new Set(await walk(reader, anything));
  let made = 0;
  const seen = await walk(reader, { ...anything, limit: 100 }, async () => {
    made += 1;
    const from = Date.now() + made * 1_000;
    await fillRuns(client, { pair: store.pair, runs: 30, from, everyMs: 1 });
    await client.query(
      "update run set state = 'lost', finished_at = now() where state = 'running'",
    );
  });
  t.is(new Set(seen).size, seen.length, 'none twice');
  t.deepEqual(new Set(seen), before);
  t.true(made > 10);
});

test('a page after a run that is gone goes on where it was', async (t) => {
  const { reader, client } = await filled(t, 500);
  const first = await reader.listRuns({ ...anything, limit: 10 });
  await client.query('delete from run where id = $1', [first.next]);
  const ids = await walk(reader, { ...anything, after: first.next });
  t.is(ids.length, 490);
});

const plans: Readonly<Record<string, { filter: Partial<RunFilter>; index: string }>> = {
  'the newest': { filter: {}, index: 'run_pkey' },
  'a job': { filter: { job: 'job-3' }, index: 'run_newest_of_job' },
  'a state': { filter: { states: ['lost'] }, index: 'run_failed' },
  'a state of a job': { filter: { states: ['lost'], job: 'job-3' }, index: 'run_failed_of_job' },
  'open ones': { filter: { states: ['queued'] }, index: 'run_open' },
  'an agent': { filter: { agent: 'w9' }, index: 'attempt_of_agent' },
};

test('each kind of search reads its index, and no whole table', async (t) => {
  const { store, client } = await filled(t, 100_000);
  for (const [what, { filter, index }] of Object.entries(plans)) {
    const used: string[] = [];
    await findRuns(
      { ...anything, ...filter },
      {
        pair: store.pair,
        nowMs: () => 0,
        select: async (text, values) => {
          const { rows } = await client.query(`explain ${text}`, [...values]);
          used.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
          return (await client.query(text, [...values])).rows;
        },
      },
    );
    t.regex(used.join('\n'), new RegExp(`using ${index} `), what);
    t.notRegex(used.join('\n'), /Seq Scan/, what);
  }
});

test('a search that finds nothing ends its page after a while and says where to go on', async (t) => {
  const { store, client } = await filled(t);
  let now = 0;
  const states: RunState[] = [];
  const find = (after: string | null) =>
    findRuns(
      { ...anything, states, text: 'nowhere', after },
      {
        pair: store.pair,
        // Each block takes so long that only the first is looked through.
        nowMs: () => {
          now += 300;
          return now;
        },
        select: async (text, values) => (await client.query(text, [...values])).rows,
      },
    );
  let pages = 1;
  for (let page = await find(null); page.next !== null; page = await find(page.next)) {
    t.deepEqual(page.ids, []);
    pages += 1;
  }
  t.is(pages, RUNS / 1_000 + 1);
});
