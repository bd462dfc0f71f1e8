import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareFolder, writeConfigFiles } from '@understudy/scripts/local/files';
import { type Layout, layOut } from '@understudy/scripts/local/layout';
import test, { type ExecutionContext } from 'ava';

function newLayout(t: ExecutionContext): Layout {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-files-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return layOut(folder, null, 1);
}

test('two systems on one machine are two pairs, and each stays the one that it is', (t) => {
  const [one, other] = [newLayout(t), newLayout(t)];
  const first = prepareFolder(one);
  t.regex(first.pair, /^local-[0-9a-f]{6}$/);
  t.not(prepareFolder(other).pair, first.pair);
  t.deepEqual(prepareFolder(one), first);
});

test('a folder from before pairs had names of their own keeps its name', (t) => {
  const layout = newLayout(t);
  writeFileSync(layout.tokenFile, 'the-token\n');
  t.deepEqual(prepareFolder(layout), { pair: 'local', token: 'the-token' });
});

test('hosts and agents are configured as one pair', (t) => {
  const layout = newLayout(t);
  const identity = prepareFolder(layout);
  writeConfigFiles(layout, identity, 'postgres://u:p@127.0.0.1:1/d');
  for (const { file } of [...layout.hosts, ...layout.workers]) {
    t.true(readFileSync(file, 'utf8').includes(`pair: ${identity.pair}\n`), file);
  }
});
