import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attemptId } from '@understudy/agent/attempt/attempt';
import { openDataFolder } from '@understudy/agent/spool/folder';
import { type Ledger, openLedger } from '@understudy/agent/worker/ledger';
import { type Channel, Reporter } from '@understudy/agent/worker/reporter';
import type { Runner } from '@understudy/agent/worker/runner';
import type { ReportsWire } from '@understudy/shared/protocol/agent';
import test, { type ExecutionContext } from 'ava';

/** So many attempts fill a batch: of each a start and an end. */
const FULL = 500;

interface Sent {
  readonly attempts: ReadonlySet<string>;
  answer(): void;
}

/** A reporter of so many attempts that are over, with a controller that answers when it is told to. */
async function reporting(t: ExecutionContext, count: number) {
  const path = mkdtempSync(join(tmpdir(), 'understudy-reporter-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const folder = openDataFolder(path);
  const ledger = await openLedger(folder, { boot: 'boot', wallMinusMonotonicMs: 0 });
  await Promise.all(Array.from({ length: count }, (_, index) => over(ledger, `run-${index}`)));
  const runner = { written: () => 0, isUnwanted: () => false, secrets: () => [] };
  const reporter = new Reporter({
    ...{ ledger, folder, runner: runner as unknown as Runner },
    ...{ agent: 'a', incarnation: 'i', nowMs: () => 100, random: () => 0.5 },
    signOfLifeMs: () => 600_000,
    onDropped: () => t.fail('nothing is dropped'),
  });
  const session = new AbortController();
  const sent: Sent[] = [];
  const listeners: (() => void)[] = [];
  const channel: Channel = {
    signal: session.signal,
    post: (body) =>
      new Promise((resolve) => {
        const acknowledged = body.reports.at(-1)?.seq ?? 0;
        const answer = () => resolve({ status: 200, body: { term: '1', acknowledged } });
        sent.push({ attempts: attemptsOf(body), answer });
        for (const listener of listeners.splice(0)) listener();
      }),
    fail: (reason) => t.fail(reason),
    heard: async () => undefined,
  };
  const done = reporter.run(channel);
  const stop = async () => {
    session.abort();
    await done;
  };
  const untilSent = async (many: number) => {
    while (sent.length < many) await new Promise<void>((resolve) => listeners.push(resolve));
  };
  return { ledger, reporter, channel, sent, untilSent, stop };
}

async function over(ledger: Ledger, run: string): Promise<void> {
  const key = { run, attempt: 1 };
  await ledger.begin(key, 1n);
  await ledger.record(key, { type: 'started', start: { atMs: 1, pid: 1 } });
  const nothing = { exitCode: 0, signal: null, reason: null, logBytes: 0 };
  await ledger.record(key, { type: 'ended', end: { atMs: 2, outcome: 'exited', ...nothing } });
}

function attemptsOf({ reports }: ReportsWire): Set<string> {
  return new Set(reports.map(({ report }) => attemptId(report)));
}

test('F100: what is much does not wait for the batch under way, and nothing is in two of them', async (t) => {
  const { reporter, ledger, sent, untilSent, stop } = await reporting(t, FULL + 300);
  await untilSent(2);
  const [first, second] = sent;
  t.is(first?.attempts.size, FULL);
  t.is(second?.attempts.size, 300);
  t.false([...(first?.attempts ?? [])].some((id) => second?.attempts.has(id)));
  second?.answer();
  first?.answer();
  await over(ledger, 'last');
  reporter.wake();
  await untilSent(3);
  t.deepEqual(
    [...(sent[2]?.attempts ?? [])],
    ['last.1'],
    'what was acknowledged is not sent again',
  );
  sent[2]?.answer();
  await stop();
  t.is(sent.length, 3);
});

test('what is little waits until the batch under way is answered', async (t) => {
  const { reporter, sent, untilSent, stop } = await reporting(t, FULL + 100);
  await untilSent(1);
  for (let turn = 0; turn < 20; turn += 1) {
    reporter.wake();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  t.is(sent.length, 1);
  sent[0]?.answer();
  await untilSent(2);
  t.is(sent[1]?.attempts.size, 100);
  sent[1]?.answer();
  await stop();
});

test('a disk that fails once ends one session, and no other', async (t) => {
  const { ledger, reporter, channel, sent, untilSent, stop } = await reporting(t, 1);
  const answered = async (many: number) => {
    await untilSent(many);
    sent[many - 1]?.answer();
  };
  const { record } = ledger;
  ledger.record = async () => {
    ledger.record = record;
    throw new Error('ENOSPC');
  };
  await answered(1);
  await over(ledger, 'second');
  reporter.wake();
  await answered(2);
  await t.throwsAsync(stop(), { message: 'ENOSPC' });
  const next = new AbortController();
  const again = reporter.run({ ...channel, signal: next.signal });
  await over(ledger, 'third');
  reporter.wake();
  await answered(3);
  await over(ledger, 'fourth');
  reporter.wake();
  await answered(4);
  next.abort();
  await t.notThrowsAsync(again);
  t.true(sent.slice(2).some(({ attempts }) => attempts.has('fourth.1')));
});
