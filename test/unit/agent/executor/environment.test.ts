import { environmentOf } from '@understudy/agent/executor/environment';
import { findProgram } from '@understudy/agent/executor/find-program';
import { carries } from '@understudy/agent/executor/leftovers';
import test from 'ava';

const of = {
  run: 'r',
  attempt: 2,
  job: 'nightly',
  term: 9007199254740993n,
  scheduledFor: null,
  env: { GREETING: 'hello', UNDERSTUDY_RUN: 'forged' },
  owner: 'orders/w1/i',
  data: '/data',
  account: null,
};

test('an attempt finds what it is in its environment, and an order can not change that', (t) => {
  const env = environmentOf(of, { PATH: '/bin', UNDERSTUDY_TOKEN: 'secret', HOME: '/root' });
  t.deepEqual(env, {
    PATH: '/bin',
    HOME: '/root',
    GREETING: 'hello',
    UNDERSTUDY_RUN: 'r',
    UNDERSTUDY_JOB: 'nightly',
    UNDERSTUDY_ATTEMPT: '2',
    UNDERSTUDY_TERM: '9007199254740993',
    UNDERSTUDY_SCHEDULED_FOR: '',
    UNDERSTUDY_AGENT_OWNER: 'orders/w1/i',
    UNDERSTUDY_AGENT_DATA: '/data',
  });
});

test('a process is recognised by all of its marks, not by a part of them', (t) => {
  const text = Object.entries(environmentOf(of, {}))
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
  const marker = { owner: 'orders/w1/', data: '/data' };
  t.true(carries(text, marker));
  t.true(carries(text, { ...marker, attempt: { run: 'r', attempt: 2 } }));
  t.false(carries(text, { ...marker, attempt: { run: 'r', attempt: 1 } }));
  t.false(carries(text, { ...marker, owner: 'orders/w/' }));
  t.false(carries(text, { ...marker, data: '/dat' }));
  t.false(carries(`X${text}`.replace('UNDERSTUDY_AGENT_DATA', 'OTHER'), marker));
});

test('a program is found as execvp finds it', (t) => {
  t.deepEqual(findProgram('sh', '/nowhere:/bin'), { type: 'found', path: '/bin/sh' });
  t.deepEqual(findProgram('/bin/sh', ''), { type: 'found', path: '/bin/sh' });
  t.regex(reasonOf(findProgram('no-such-program', '/bin')), /^ENOENT/);
  t.regex(reasonOf(findProgram('/etc/passwd', '')), /^EACCES/);
  t.regex(reasonOf(findProgram('/etc', '')), /^EACCES/);
  t.regex(reasonOf(findProgram('/etc/passwd/sh', '')), /^ENOENT/);
});

function reasonOf(found: ReturnType<typeof findProgram>): string {
  return found.type === 'missing' ? found.reason : 'found';
}
