import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FindOptions, findConfigFile } from '@understudy/shared/runtime/config/find';
import test, { type ExecutionContext } from 'ava';

/** A host with these files; found files are told by their place on it. */
function stage(t: ExecutionContext, files: readonly string[]) {
  const root = mkdtempSync(join(tmpdir(), 'understudy-find-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['etc', 'home/work', '.understudy']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  for (const file of files) writeFileSync(join(root, file), '');
  return (role: FindOptions['role'], more: Partial<FindOptions> = {}) =>
    findConfigFile({
      ...{ given: undefined, env: {}, role },
      ...{ workingFolder: join(root, 'home/work'), systemFolder: join(root, 'etc') },
      ...more,
    })?.replace(root, '') ?? null;
}

test('a host of one role is found by every command', (t) => {
  const worker = stage(t, ['etc/agent.yaml', '.understudy/a.yaml']);
  t.deepEqual([worker('controller'), worker('agent')], ['/etc/agent.yaml', '/etc/agent.yaml']);
  const controller = stage(t, ['etc/understudy.yaml']);
  t.is(controller('agent'), '/etc/understudy.yaml');
});

test('on a host of both roles each command has its own file', (t) => {
  const find = stage(t, ['etc/agent.yaml', 'etc/understudy.yaml']);
  t.is(find('controller'), '/etc/understudy.yaml');
  t.is(find('agent'), '/etc/agent.yaml');
});

test('what was given comes first, and the one-machine system last', (t) => {
  const find = stage(t, ['.understudy/a.yaml', '.understudy/w1.yaml']);
  t.is(find('controller'), '/.understudy/a.yaml');
  t.is(find('agent'), '/.understudy/w1.yaml');
  t.is(find('agent', { env: { UNDERSTUDY_CONFIG: 'x.yaml' } }), 'x.yaml');
  t.is(find('agent', { given: 'y.yaml', env: { UNDERSTUDY_CONFIG: 'x.yaml' } }), 'y.yaml');
  t.is(stage(t, [])('agent'), null);
});
