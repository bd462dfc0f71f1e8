import { orderSchema } from '@understudy/shared/protocol/agent';
import { jobSchema } from '@understudy/shared/protocol/api';
import test from 'ava';

const problems = (job: object): string[] =>
  (jobSchema.safeParse({ name: 'j', ...job }).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );

test('a job does exactly one thing', (t) => {
  t.deepEqual(problems({ command: ['true'] }), []);
  t.deepEqual(problems({ shell: 'true | false' }), []);
  t.deepEqual(problems({ http: { url: 'http://127.0.0.1/' } }), []);
  t.deepEqual(problems({ module: { path: '/srv/a.js' } }), []);
  t.regex(problems({}).join(), /exactly one of command, shell, http, module; found none/);
  t.regex(problems({ command: ['a'], shell: 'a' }).join(), /found command and shell/);
});

test('what a request or a module could not heed is refused', (t) => {
  t.regex(problems({ module: { path: '/a.js' }, user: 'nobody' }).join(), /^user: /);
  t.regex(problems({ http: { url: 'http://a/' }, cwd: '/tmp' }).join(), /^cwd: /);
  t.regex(problems({ module: { path: 'a.js' } }).join(), /absolute path/);
  t.regex(problems({ shell: 'a', cwd: 'tmp' }).join(), /absolute path/);
  t.regex(problems({ shell: 'a', user: 'a b' }).join(), /name of a user/);
  t.regex(problems({ http: { url: 'ftp://a/' } }).join(), /http:\/\//);
  t.regex(
    problems({ http: { url: 'http://a/', headers: { 'X-A': 'a\r\nb' } } }).join(),
    /one line/,
  );
  t.regex(problems({ http: { url: 'http://a/', expect: ['2xx'] } }).join(), /200-299/);
});

test('grace and output have defaults, and a parsed job can be parsed again', (t) => {
  const job = jobSchema.parse({ name: 'j', shell: 'a', grace: '2s', output: { limit: '1kb' } });
  t.is(job.graceMs, 2_000);
  t.deepEqual(job.output, { limitBytes: 1_024, onLimit: 'truncate' });
  t.deepEqual(jobSchema.parse(JSON.parse(JSON.stringify(job))), job);
  const plain = jobSchema.parse({ name: 'j', shell: 'a' });
  t.is(plain.graceMs, 5_000);
  t.deepEqual(plain.output, { limitBytes: 16 * 1_024 ** 2, onLimit: 'truncate' });
});

const start = {
  type: 'start',
  term: '1',
  run: '0197e0d2-7c00-4000-8000-000000000003',
  attempt: 1,
  job: 'j',
  env: {},
  scheduledFor: null,
  timeoutMs: null,
  delivery: 'at-most-once',
};

test('an order of an older controller is understood, one that says nothing to do is not', (t) => {
  const order = orderSchema.parse({ ...start, command: ['true'] });
  t.like(order, { cwd: null, user: null, graceMs: 5_000, output: null, parameters: {} });
  t.false(orderSchema.safeParse(start).success);
  t.false(orderSchema.safeParse({ ...start, command: ['true'], shell: 'true' }).success);
});
