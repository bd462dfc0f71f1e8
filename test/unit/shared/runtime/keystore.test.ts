import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeKeystore, readKeystore } from '@understudy/shared/runtime/keystore';
import { judgeKey, nextKeystorePath } from '@understudy/shared/runtime/pair-key';
import test from 'ava';
import { makeFolder } from '../../../support/keystore.ts';

test('what one node seals, a node with a copy of the file opens, and nobody else', (t) => {
  const folder = makeFolder(t);
  const made = makeKeystore(join(folder, 'a'));
  copyFileSync(join(folder, 'a'), join(folder, 'b'));
  const copy = readKeystore(join(folder, 'b'));
  if (copy.type !== 'read') return t.fail(copy.type);
  t.is(copy.keystore.id, made.id);
  const sealed = made.seal('hunter2', 'orders/secret/A');
  t.is(copy.keystore.open(sealed, 'orders/secret/A'), 'hunter2');
  t.throws(() => copy.keystore.open(sealed, 'orders/secret/B'));
  t.throws(() => makeKeystore(join(folder, 'c')).open(sealed, 'orders/secret/A'));
  const forged = { ...sealed, data: Buffer.from(sealed.data.map((byte) => byte ^ 1)) };
  t.throws(() => made.open(forged, 'orders/secret/A'));
  t.notDeepEqual(made.seal('hunter2', 'x').data, made.seal('hunter2', 'x').data);
});

test("the file is its owner's alone, and is made once", (t) => {
  const path = join(makeFolder(t), 'keystore');
  makeKeystore(path);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.throws(() => makeKeystore(path), { code: 'EEXIST' });
  chmodSync(path, 0o644);
  t.like(readKeystore(path), { type: 'bad' });
});

test('what is no key store is refused without a word of what it holds', (t) => {
  const path = join(makeFolder(t), 'keystore');
  const { key, ...rest } = JSON.parse(contentOf(path)) as Record<string, unknown>;
  for (const text of [
    '',
    'hunter2',
    '{"key":"hunter2"}',
    JSON.stringify(rest),
    'x'.repeat(9_999),
  ]) {
    writeFileSync(path, text);
    const read = readKeystore(path);
    t.is(read.type, 'bad');
    t.false(JSON.stringify(read).includes('hunter2'));
  }
  const other = JSON.parse(contentOf(`${path}2`)) as object;
  writeFileSync(path, JSON.stringify({ ...other, key }));
  t.deepEqual(readKeystore(path), { type: 'bad', problem: 'is damaged: key and id differ' });
  t.deepEqual(readKeystore(`${path}3`), { type: 'missing' });
});

function contentOf(path: string): string {
  makeKeystore(path);
  return readFileSync(path, 'utf8');
}

test('H4: a node may serve with the key that the pair knows, and with no other', (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'keystore');
  const { id } = makeKeystore(path);
  const judge = (at: string | null, known: string | null) => {
    const verdict = judgeKey({ pair: 'orders', path: at, known });
    return verdict.type === 'refused' ? verdict.reason : verdict.type;
  };
  t.is(judge(path, id), 'fits');
  t.is(judge(null, null), 'none');
  t.regex(judge(path, 'k-other'), /pair orders .* key k-other, .* holds key k-[0-9a-f]{16}: copy/);
  t.regex(judge(null, id), /this node has no key store: copy .* set `keystore`/);
  t.regex(judge(join(folder, 'none'), id), /there is no key store at .*: copy/);
  t.regex(judge(join(folder, 'none'), null), /run `understudy create`/);
  t.regex(judge(path, null), /does not know key .* run `understudy create`/);
  writeFileSync(path, 'x');
  t.regex(judge(path, id), /is not a key store/);
});

test('H4: the key that was to come counts as soon as it is that of the pair, whatever lies beside it', (t) => {
  const path = join(makeFolder(t), 'keystore');
  const old = makeKeystore(path);
  const next = makeKeystore(nextKeystorePath(path));
  const judge = (known: string) => {
    const verdict = judgeKey({ pair: 'orders', path, known });
    return verdict.type === 'fits' ? verdict.keystore.id : verdict.type;
  };
  t.is(judge(old.id), old.id);
  t.is(judge(next.id), next.id);
  t.is(judge('k-other'), 'refused');
  writeFileSync(path, 'x');
  t.is(judge(next.id), next.id);
  t.is(judge(old.id), 'refused');
});
