import { describeConfig } from '@understudy/shared/runtime/config/describe';
import { maskDatabaseUrl } from '@understudy/shared/runtime/config/mask';
import { suggestName } from '@understudy/shared/runtime/config/suggest';
import test from 'ava';

const overrides = {
  pair: 'p',
  node: 'a',
  database: 'postgres://user:very%20secret@h1:1,h2:2/db?password=secret&x=1',
  'heartbeat.url': 'http://h:1',
  'heartbeat.peers': '[http://h:2]',
  'controller.url': 'http://h:3',
};

test('every key is described with its source, and the derived timers', (t) => {
  const env = { UNDERSTUDY_TOKEN: 'env:T', T: 'secret' };
  const { host, keys, timers } = describeConfig({ file: null, env, overrides });
  const find = (name: string) => keys.find((key) => key.key === name);
  t.is(host, 'controller');
  t.deepEqual(find('pair'), { key: 'pair', value: 'p', source: 'command line' });
  t.deepEqual(find('log.level'), { key: 'log.level', value: 'info', source: 'default' });
  t.is(find('token')?.source, 'environment variable UNDERSTUDY_TOKEN, env:T');
  t.is(timers?.ttlMs, 1_188);
});

test('no secret is in the description', (t) => {
  const described = describeConfig({ file: null, env: { UNDERSTUDY_TOKEN: 'secret' }, overrides });
  t.false(JSON.stringify(described).includes('secret'));
  t.true(JSON.stringify(described).includes('postgres://user:***@h1:1,h2:2/db'));
});

test('a worker host is told by its controllers', (t) => {
  const agent = { pair: 'p', agent: 'w', token: 't', controllers: '[http://h:3]' };
  const described = describeConfig({ file: null, env: {}, overrides: agent });
  t.is(described.host, 'worker');
  t.is(described.timers, null);
});

test('the password of a database URL is hidden wherever it stands', (t) => {
  t.is(maskDatabaseUrl('postgres://u:p@h/db'), 'postgres://u:***@h/db');
  t.is(maskDatabaseUrl('postgres://u@h/db'), 'postgres://u@h/db');
  t.is(maskDatabaseUrl('postgres://h/db?password=p'), 'postgres://h/db?password=***');
  t.is(maskDatabaseUrl('postgres://u:p@x@h/db'), 'postgres://u:***@h/db');
  t.is(maskDatabaseUrl('postgres://u:p/q@h/db'), '***');
  t.is(maskDatabaseUrl('nonsense'), '***');
});

test('a near name is suggested, a far one is not', (t) => {
  const known = ['failover.target', 'lease.ttl', 'log.level'];
  t.is(suggestName('failover.targt', known), 'failover.target');
  t.is(suggestName('target', known), 'failover.target');
  t.is(suggestName('lease.level', known), 'log.level');
  t.is(suggestName('something.else', known), null);
});
