import { mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { completeLinks } from '@understudy/scripts/postgres/binaries';
import test from 'ava';

test('library links that npm did not make are made, once', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'understudy-links-'));
  const lib = join(root, 'native', 'lib');
  mkdirSync(lib, { recursive: true });
  writeFileSync(join(lib, 'libx.so.5.18'), '');
  const links = ['libx.so', 'libx.so.5'].map((name) => ({
    source: 'native/lib/libx.so.5.18',
    target: `native/lib/${name}`,
  }));
  writeFileSync(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links));
  completeLinks(root);
  completeLinks(root);
  t.is(readlinkSync(join(lib, 'libx.so')), 'libx.so.5.18');
  t.is(readlinkSync(join(lib, 'libx.so.5')), 'libx.so.5.18');
  rmSync(root, { recursive: true });
});
