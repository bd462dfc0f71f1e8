import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootId, takeLock } from '@understudy/agent/spool/lock';
import { processId } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';

test('a lock that is held is refused and names its owner', (t) => {
  const path = lockPath(t);
  takeLock(path);
  t.throws(() => takeLock(path), { message: new RegExp(`pid ${process.pid}`) });
});

test('a lock that was given back can be taken again', (t) => {
  const path = lockPath(t);
  takeLock(path)();
  t.false(existsSync(path));
  t.notThrows(() => takeLock(path));
});

test('a lock whose owner is dead is taken over, also when its pid lives on in another process', (t) => {
  const boot = bootId();
  const startTime = processId(process.pid)?.startTime ?? '';
  for (const dead of [
    { pid: process.pid, startTime: '1', boot },
    { pid: process.pid, startTime, boot: 'an earlier boot' },
    'garbage',
  ]) {
    const path = lockPath(t);
    writeFileSync(path, JSON.stringify(dead));
    t.notThrows(() => takeLock(path));
    t.deepEqual(readdirSync(join(path, '..')), ['lock']);
  }
});

function lockPath(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-lock-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'lock');
}
