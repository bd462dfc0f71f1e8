import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepProcess, type ProcessEnd } from '@understudy/scripts/local/kept-process';
import test from 'ava';

const folder = mkdtempSync(join(tmpdir(), 'understudy-kept-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Ends {
  readonly all: ProcessEnd[];
  readonly onEnd: (end: ProcessEnd) => void;
  /** The next end that is told. */
  next(): Promise<ProcessEnd>;
}

function collectEnds(): Ends {
  const all: ProcessEnd[] = [];
  const waiting: ((end: ProcessEnd) => void)[] = [];
  return {
    all,
    onEnd: (end) => {
      all.push(end);
      waiting.shift()?.(end);
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

test('what ends is started again, at once the first time and then later', async (t) => {
  const ends = collectEnds();
  const logFile = join(folder, 'again.log');
  const first = ends.next();
  const kept = keepProcess({
    name: 'x',
    command: ['sh', '-c', 'echo started; exit 3'],
    logFile,
    onEnd: ends.onEnd,
  });
  t.deepEqual(await first, { name: 'x', how: 'exit code 3', restartInMs: 0, logFile });
  const second = await ends.next();
  t.true((second.restartInMs ?? 0) >= 250);
  await kept.stop();
  t.is(kept.pid, null);
  t.is(readFileSync(logFile, 'utf8'), 'started\nstarted\n');
});

test('what ends because of its configuration is not started again', async (t) => {
  const ends = collectEnds();
  const first = ends.next();
  const logFile = join(folder, 'bad.log');
  const kept = keepProcess({
    name: 'x',
    command: ['sh', '-c', 'exit 78'],
    logFile,
    onEnd: ends.onEnd,
  });
  t.is((await first).restartInMs, null);
  t.is(kept.pid, null);
  await kept.stop();
  t.is(ends.all.length, 1);
});

test('a stop ends the process and is no end to tell of, even when it is frozen', async (t) => {
  const ends = collectEnds();
  const logFile = join(folder, 'stop.log');
  writeFileSync(logFile, 'of the last start\n');
  const kept = keepProcess({ name: 'x', command: ['sleep', '600'], logFile, onEnd: ends.onEnd });
  t.is(readFileSync(`${logFile}.1`, 'utf8'), 'of the last start\n');
  if (kept.pid === null) return t.fail('it does not run');
  process.kill(kept.pid, 'SIGSTOP');
  await kept.stop();
  t.deepEqual(ends.all, []);
});

test('what is kept down stays down until it is let up', async (t) => {
  const ends = collectEnds();
  const logFile = join(folder, 'down.log');
  const command = ['sh', '-c', 'echo started; exec sleep 60'];
  const kept = keepProcess({ name: 'x', command, logFile, onEnd: ends.onEnd });
  t.teardown(() => kept.stop());
  const first = kept.pid;
  kept.keepDown();
  const ended = ends.next();
  if (first !== null) process.kill(first, 'SIGKILL');
  t.is((await ended).restartInMs, null);
  t.is(kept.pid, null);
  kept.letUp();
  t.not(kept.pid, null);
  t.not(kept.pid, first);
});
