import { type Kin, keyOf, membersOf } from '@understudy/agent/executor/kinship';
import test from 'ava';

/** A process; without more it is a child of its session's first process. */
function kin(pid: number, more: Partial<Kin> & { env?: string } = {}): Kin {
  const { env = '', ...facts } = more;
  const session = facts.session ?? pid;
  const base = { pid, startTime: `${pid}0`, parent: session, group: session, session };
  return { ...base, ...facts, environment: () => env };
}

function pids(table: readonly Kin[], over: { known?: string[]; there?: number[] } = {}): number[] {
  const there = new Set([...table.map(({ pid }) => pid), ...(over.there ?? [])]);
  return membersOf(
    {
      root: 100,
      known: new Set(over.known ?? []),
      carries: (environment) => environment === 'marked',
      isThere: (pid) => there.has(pid),
    },
    table,
  ).map(({ pid }) => pid);
}

test('who is in the session or group of the first process belongs to it, after its end, too', (t) => {
  t.deepEqual(
    pids([kin(101, { session: 100 }), kin(102, { session: 50, group: 100 })]),
    [101, 102],
  );
});

test('who has a session of his own is known by descent, by mark, or because he was seen before', (t) => {
  t.deepEqual(
    pids([kin(100), kin(101, { parent: 100 }), kin(102, { parent: 101 })]),
    [100, 101, 102],
  );
  t.deepEqual(pids([kin(101, { parent: 1, env: 'marked' })]), [101]);
  const known = keyOf({ pid: 101, startTime: '1010' });
  t.deepEqual(pids([kin(101, { parent: 1 })], { known: [known] }), [101]);
  t.deepEqual(pids([kin(101, { parent: 1, startTime: 'later' })], { known: [known] }), []);
});

test('a session that a member began, or whose beginner is gone, belongs to it', (t) => {
  t.deepEqual(
    pids([kin(101, { parent: 1, env: 'marked' }), kin(102, { parent: 1, session: 101 })]),
    [101, 102],
  );
  t.deepEqual(
    pids([
      kin(103, { parent: 1, session: 101, env: 'marked' }),
      kin(104, { parent: 1, session: 101 }),
    ]),
    [103, 104],
  );
});

test('a marked process in the session of somebody else says nothing of the others in it', (t) => {
  const table = [
    kin(60, { parent: 1, session: 50 }),
    kin(61, { parent: 1, session: 50, env: 'marked' }),
  ];
  t.deepEqual(pids(table, { there: [50] }), [61]);
});

test('who began outside of what is to be seen is not taken for a session', (t) => {
  const table = [
    kin(60, { parent: 0, session: 0 }),
    kin(61, { parent: 0, session: 0, env: 'marked' }),
  ];
  t.deepEqual(pids(table), [61]);
});
