import { Keyring } from '@understudy/controller/security/keyring';
import { SecretBook, type SecretUse } from '@understudy/controller/security/secrets';
import type { Changes } from '@understudy/controller/store/changes';
import type { TenureContext } from '@understudy/controller/work/context';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import { makeTestKeystore } from '../../support/keystore.ts';

function setUp(t: ExecutionContext, { hasKey = true } = {}) {
  const commits: Changes[] = [];
  const context = {
    ...{ pair: 'orders', term: 7n, clock: { wallMs: () => 1_000 }, log: silentLog },
    committer: { isAway: false, isFull: false, onGivenUp: () => () => undefined },
  } as unknown as TenureContext;
  let use: SecretUse = { jobs: [], runs: 0 };
  const book = new SecretBook(context, {
    keyring: new Keyring(hasKey ? makeTestKeystore(t) : null),
    apply: async (changes) => void commits.push(changes),
    useOf: () => use,
  });
  return {
    ...{ book, commits },
    isUsed: (by: SecretUse) => {
      use = by;
    },
  };
}

test('F125: a value is committed encrypted, listed without it, and given to an order', async (t) => {
  const { book, commits } = setUp(t);
  const { isNew } = await book.set('DB', 'hunter2', 'ops');
  t.true(isNew);
  t.false((await book.set('DB', 'hunter3', 'ops')).isNew);
  const shown = JSON.stringify([commits, book.list()], (_key, value) =>
    Buffer.isBuffer(value) ? value.toString() : value,
  );
  t.notRegex(shown, /hunter/);
  t.deepEqual(book.unseal(['DB']), { type: 'values', values: { DB: 'hunter3' } });
  t.deepEqual(book.unseal(['DB', 'X']), { type: 'unusable', problem: 'not stored: secret X' });
  t.like(book.get('DB'), { name: 'DB', updatedBy: 'ops', updatedAt: 1_000 });
});

test('a former value stays hidden while runs that were given it are under way, and no longer', async (t) => {
  const { book, isUsed } = setUp(t);
  await book.set('DB', 'first', 'ops');
  isUsed({ jobs: ['j'], runs: 1 });
  await book.set('DB', 'second', 'ops');
  t.deepEqual(book.hidden(['DB']).toSorted(), ['first', 'second']);
  isUsed({ jobs: ['j'], runs: 0 });
  await book.set('DB', 'third', 'ops');
  t.deepEqual(book.hidden(['DB']), ['third']);
});

test('what somebody damaged in the database is given to no run, and is told, not thrown', async (t) => {
  const { book } = setUp(t);
  const { record } = await book.set('DB', 'first', 'ops');
  await book.set('OTHER', 'whole', 'ops');
  const damaged = { ...record.sealed, data: Buffer.from('no such text was ever sealed') };
  book.load([{ ...record, sealed: damaged }]);
  const problem = "secret DB can't be decrypted: set it anew";
  t.deepEqual(book.unseal(['OTHER', 'DB']), { type: 'unusable', problem });
  t.deepEqual(book.hidden(['OTHER', 'DB']), ['whole']);
  await book.set('DB', 'second', 'ops');
  t.deepEqual(book.unseal(['DB']), { type: 'values', values: { DB: 'second' } });
});

test('what is needed is not removed', async (t) => {
  const { book, isUsed } = setUp(t);
  await book.set('DB', 'first', 'ops');
  isUsed({ jobs: ['report'], runs: 0 });
  await t.throwsAsync(book.remove('DB'), { message: /jobs need it: report/ });
  isUsed({ jobs: [], runs: 2 });
  await t.throwsAsync(book.remove('DB'), { message: /2 runs need it/ });
  isUsed({ jobs: [], runs: 0 });
  await book.remove('DB');
  t.deepEqual(book.list(), []);
  await t.throwsAsync(book.remove('DB'), { message: /no secret DB/ });
});

test('without a key store nothing is stored', async (t) => {
  const { book, commits } = setUp(t, { hasKey: false });
  await t.throwsAsync(book.set('DB', 'first', 'ops'), { message: /key store/ });
  t.deepEqual(commits, []);
});
