import { makeCallers } from '@understudy/controller/security/callers';
import { hashOf, TokenBook } from '@understudy/controller/security/tokens';
import type { Changes } from '@understudy/controller/store/changes';
import type { TenureContext } from '@understudy/controller/work/context';
import test from 'ava';

/** A book whose commits a test lets through one by one. */
function setUp() {
  let now = 1_000;
  const commits: { readonly changes: Changes; readonly pass: () => void }[] = [];
  const context = {
    term: 7n,
    clock: { wallMs: () => now },
    committer: { isAway: false, isFull: false, onGivenUp: () => () => undefined },
  } as unknown as TenureContext;
  const book = new TokenBook(context, async (changes) => {
    await new Promise<void>((pass) => commits.push({ changes, pass }));
  });
  const callers = makeCallers('own', book);
  return {
    ...{ book, callers, commits },
    moveTo: (instant: number) => {
      now = instant;
    },
    make: async (name: string, expiresInMs: number | null = null) => {
      const made = book.create({ name, role: 'operator', agent: null, expiresInMs }, 'pair');
      commits.at(-1)?.pass();
      return await made;
    },
  };
}

test("the pair's own token is an admin and an agent; what nobody made is nobody's", (t) => {
  const { callers } = setUp();
  t.like(callers.identify('own'), { name: 'pair', roles: ['admin', 'agent'] });
  t.is(callers.identify('other'), null);
  t.is(callers.identify(''), null);
});

test('F125: a token is 256 random bits, and only its hash is kept', async (t) => {
  const { book, commits, make } = setUp();
  const [first, second] = [await make('ci'), await make('cd')];
  t.regex(first.value, /^ust_[A-Za-z0-9_-]{43}$/);
  t.not(first.value, second.value);
  t.is(first.record.hash, hashOf(first.value));
  t.false(JSON.stringify([commits, book.list()]).includes(first.value));
});

test('a token is valid once it is committed, and not before', async (t) => {
  const { book, callers, commits } = setUp();
  const making = book.create(
    { name: 'ci', role: 'operator', agent: null, expiresInMs: null },
    'pair',
  );
  const { hash = '' } = commits[0]?.changes.tokens?.[0] ?? {};
  t.is(book.callerOf(hash), null);
  commits[0]?.pass();
  const { value } = await making;
  t.like(callers.identify(value), { name: 'ci', roles: ['operator'] });
});

test('a token of one agent tells who may present it, also after it was loaded', async (t) => {
  const { book, callers, commits } = setUp();
  const request = { name: 'w1', role: 'agent', agent: 'w1', expiresInMs: null } as const;
  const making = book.create(request, 'pair');
  commits[0]?.pass();
  const { value, record } = await making;
  t.like(commits[0]?.changes.tokens, [{ name: 'w1', agent: 'w1' }]);
  t.like(callers.identify(value), { name: 'w1', roles: ['agent'], agent: 'w1' });
  const next = setUp();
  next.book.load([record]);
  t.like(next.callers.identify(value), { agent: 'w1' });
  t.is(callers.identify('own')?.agent, null, 'the pair itself is bound to none');
});

test('a revoked token is refused, and what it had opened ends, before that is committed', async (t) => {
  const { book, callers, commits, make } = setUp();
  const { value } = await make('ci');
  const { over } = callers.identify(value) ?? {};
  const revoking = book.revoke('ci');
  t.is(callers.identify(value), null);
  t.true(over?.aborted);
  commits.at(-1)?.pass();
  await revoking;
  t.deepEqual(commits.at(-1)?.changes.revokedTokens, ['ci']);
  t.deepEqual(book.list(), []);
});

test('one that is revoked while it is being made never becomes valid', async (t) => {
  const { book, callers, commits } = setUp();
  const making = book.create(
    { name: 'ci', role: 'operator', agent: null, expiresInMs: null },
    'pair',
  );
  const revoking = book.revoke('ci');
  for (const { pass } of commits) pass();
  const { value } = await making;
  await revoking;
  t.is(callers.identify(value), null);
});

test('a token ends by itself when its time is over', async (t) => {
  const { callers, make, moveTo } = setUp();
  const { value, record } = await make('ci', 500);
  t.is(record.expiresAt, 1_500);
  const caller = callers.identify(value);
  t.like(caller, { name: 'ci' });
  moveTo(1_500);
  t.is(callers.identify(value), null);
  t.true(caller?.over?.aborted);
});

test('a name is given once, and never that of the pair', async (t) => {
  const { book, make } = setUp();
  await make('ci');
  for (const name of ['ci', 'pair']) {
    const again = book.create({ name, role: 'admin', agent: null, expiresInMs: null }, 'pair');
    await t.throwsAsync(again, { message: /already/ });
  }
  await t.throwsAsync(book.revoke('nobody'), { message: /no token nobody/ });
});
