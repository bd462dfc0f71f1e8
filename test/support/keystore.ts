import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Keystore, makeKeystore } from '@understudy/shared/runtime/keystore';
import type { Owner } from './cluster/owner.ts';

/** A folder of its own for one test. */
export function makeFolder(owner: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-keys-'));
  owner.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A key store of its own for one test. */
export function makeTestKeystore(owner: Owner): Keystore {
  return makeKeystore(join(makeFolder(owner), 'keystore'));
}
