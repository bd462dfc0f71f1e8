import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataFolder } from '@understudy/agent/spool/folder';
import { readTerm } from '@understudy/agent/spool/term-file';
import { openLedger } from '@understudy/agent/worker/ledger';
import test from 'ava';

test('a term that could not be kept can be kept once the disk is well again', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'understudy-ledger-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const folder = openDataFolder(path);
  const ledger = await openLedger(folder, { boot: 'boot', wallMinusMonotonicMs: 0 });
  mkdirSync(join(folder.term, 'in the way'), { recursive: true });
  await t.throwsAsync(ledger.raise(3n));
  t.is(ledger.highest, 0n);
  rmSync(folder.term, { recursive: true });
  await ledger.raise(3n);
  t.is(ledger.highest, 3n);
  t.is(readTerm(folder.term), 3n);
});
