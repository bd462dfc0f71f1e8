import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nameJournal } from '@understudy/agent/spool/journal-id';
import test from 'ava';

test('A journal keeps its name, until it is new or its name can not be read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-journal-id-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'journal-id');
  const first = await nameJournal(path, false);
  t.is(await nameJournal(path, false), first);
  const second = await nameJournal(path, true);
  t.not(second, first);
  t.is(await nameJournal(path, false), second);
  writeFileSync(path, 'half a na');
  t.not(await nameJournal(path, false), second);
});
