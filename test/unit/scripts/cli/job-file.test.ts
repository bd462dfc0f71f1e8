import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readJobs } from '@understudy/scripts/cli/client/job-file';
import test from 'ava';

const folder = mkdtempSync(join(tmpdir(), 'understudy-jobs-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function read(text: string) {
  files += 1;
  const file = join(folder, `${files}.yaml`);
  writeFileSync(file, text);
  return readJobs(file);
}

test('a job is sent as it was written, for the controller to judge', (t) => {
  const text = 'name: j\ncommand: [x]\ntimeout: 30s\nretries: { limit: 2, delay: 1m }\n';
  const body = { name: 'j', command: ['x'], timeout: '30s', retries: { limit: 2, delay: '1m' } };
  t.deepEqual(read(text), [{ name: 'j', body }]);
});

test('several documents, a list and JSON are all read', (t) => {
  t.is(read('name: a\n---\nname: b\n').length, 2);
  t.is(read('- name: a\n- name: b\n').length, 2);
  t.is(read('{ "name": "a" }').length, 1);
});

test('what is no job is refused with a message that says where', (t) => {
  t.throws(() => read('command: [x]\n'), { message: /job 1 in .* has no name/ });
  t.throws(() => read('name: [\n'), { message: /can't be read as YAML or JSON/ });
  t.throws(() => readJobs(join(folder, 'none')), { message: /no such file/ });
});
