import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type End, orderedAttempt, stepAttempt } from '@understudy/agent/attempt/attempt';
import { openJournal } from '@understudy/agent/spool/journal';
import { attemptLine, type Line, replay } from '@understudy/agent/spool/journal-text';
import test, { type ExecutionContext } from 'ava';

const origin = { boot: 'boot-1', wallMinusMonotonicMs: 1_000 };
const key = { run: 'r', attempt: 1 };
const start: Line = { t: 'start', ...key, term: '9007199254740993' };
const started: Line = {
  t: 'event',
  ...key,
  event: { type: 'started', start: { atMs: 50, pid: 42 } },
};
const end: End = {
  atMs: 80,
  outcome: 'exited',
  exitCode: 0,
  signal: null,
  reason: null,
  logBytes: 0,
};
const ended: Line = { t: 'event', ...key, event: { type: 'ended', end } };

const textOf = (lines: readonly Line[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');

test('what was written is read back, terms beyond the numbers of JavaScript too', (t) => {
  const { attempts } = replay(textOf([{ t: 'open', ...origin }, start, started]), origin);
  const attempt = attempts.get('r.1');
  t.is(attempt?.phase, 'running');
  t.is(attempt?.term, 9007199254740993n);
  t.is(attempt?.start?.pid, 42);
});

test('half a line at the end, as a crash leaves it, is left out', (t) => {
  const whole = textOf([start]);
  const read = replay(`${whole}{"t":"event","run"`, origin);
  t.is(read.wholeBytes, whole.length);
  t.is(read.unreadable, 0);
  t.is(read.attempts.get('r.1')?.phase, 'journalled');
});

test('a damaged line in the middle is counted, and the rest is read', (t) => {
  const read = replay(`${textOf([start])}garbage\n${textOf([started])}`, origin);
  t.is(read.unreadable, 1);
  t.is(read.attempts.get('r.1')?.phase, 'running');
});

test('what a journal written anew tells once more changes nothing', (t) => {
  const snapshot = attemptLine(
    stepAttempt(stepAttempt(orderedAttempt(key, 3n), { type: 'journalled' }), {
      type: 'ended',
      end,
    }),
  );
  const { attempts } = replay(textOf([snapshot, start, started, ended]), origin);
  t.is(attempts.get('r.1')?.phase, 'ended');
  t.is(attempts.get('r.1')?.term, 3n);
});

test('instants of an earlier boot are moved onto the clock of this one', (t) => {
  const text = textOf([{ t: 'open', ...origin }, start, started]);
  const now = { boot: 'boot-2', wallMinusMonotonicMs: 61_000 };
  t.is(replay(text, now).attempts.get('r.1')?.start?.atMs, 50 - 60_000);
  t.is(replay(text, { ...now, boot: 'boot-1' }).attempts.get('r.1')?.start?.atMs, 50);
});

test('a journal survives half a line, is appended to, and is written anew without loss', async (t) => {
  const path = join(folderOf(t), 'journal');
  const first = await openJournal(path, origin);
  await Promise.all([first.journal.append([start], true), first.journal.append([started], false)]);
  appendFileSync(path, '{"t":"ev');
  const second = await openJournal(path, origin);
  t.is(second.attempts.get('r.1')?.phase, 'running');
  await second.journal.compact(() => [...second.attempts.values()]);
  await second.journal.append([ended], true);
  t.is(readFileSync(path, 'utf8').split('\n').length, 4);
  const third = await openJournal(path, origin);
  t.is(third.attempts.get('r.1')?.phase, 'ended');
});

function folderOf(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'understudy-journal-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
