import { readFileSync } from 'node:fs';
import { accountFor, accountOf, lineOf } from '@understudy/agent/executor/account';
import test from 'ava';

const passwd = [
  'root:x:0:0:root:/root:/bin/bash',
  'backup:x:34:35:backup:/var/backups:',
  'broken:x:none:1::',
].join('\n');

test('a user is found by name or by number', (t) => {
  const expected = { uid: 34, gid: 35, name: 'backup', home: '/var/backups', shell: '/bin/sh' };
  for (const user of ['backup', '34']) {
    const line = lineOf(user, passwd);
    t.deepEqual(line === null ? null : accountOf(line), expected);
  }
  t.is(lineOf('back', passwd), null);
  t.is(accountOf('broken:x:none:1::'), null);
});

/** A user of every host. */
const daemon = accountOf(lineOf('daemon', readFileSync('/etc/passwd', 'utf8')) ?? '');

test('an agent that is root runs things as those users only that it is told to', async (t) => {
  const asRoot = (users: readonly string[]) => accountFor('daemon', { users, uid: 0 });
  t.is((await asRoot(['daemon'])).type, 'other');
  t.is((await asRoot([String(daemon?.uid)])).type, 'other');
  const refused = await asRoot(['backup']);
  t.regex(refused.type === 'refused' ? refused.reason : '', /daemon is not allowed here/);
});

test('an agent that is not root runs things as itself only', async (t) => {
  const refused = await accountFor('daemon', { users: ['daemon'], uid: 65_500 });
  t.regex(refused.type === 'refused' ? refused.reason : '', /not as root/);
  t.is((await accountFor('daemon', { users: [], uid: daemon?.uid ?? -1 })).type, 'own');
});

test('a user that does not exist is said to be none; a number needs no name', async (t) => {
  const refused = await accountFor('no-such-user', { users: ['no-such-user'], uid: 0 });
  t.regex(refused.type === 'refused' ? refused.reason : '', /no user no-such-user/);
  const found = await accountFor('64999', { users: ['64999'], uid: 0 });
  t.like(found, { type: 'other', account: { uid: 64_999, gid: 64_999, name: null } });
});
