import { judge } from '@understudy/controller/notify/judge';
import { noticeOf, toldOf } from '@understudy/controller/notify/notices';
import { signatureOf } from '@understudy/controller/notify/signature';
import type { EventKind, NewEvent } from '@understudy/controller/store/records';
import test from 'ava';

const happened = (kind: EventKind, facts: NewEvent['facts'] = {}): NewEvent => ({
  ...{ at: 0, kind, subject: 's', message: 'm', facts },
});

test('hooks are told of failed, timed-out, lost and late runs, of lost agents and of fail-overs', (t) => {
  const ended = (state: string) =>
    toldOf(happened('run-ended', { job: 'j', state }))?.event ?? null;
  t.deepEqual(['failed', 'timed-out', 'succeeded', 'cancelled'].map(ended), [
    ...['run.failed', 'run.timed-out', null, null],
  ]);
  t.deepEqual(toldOf(happened('run-lost', { job: 'j' })), { event: 'run.lost', job: 'j' });
  t.deepEqual(toldOf(happened('run-late', { job: 'j' })), { event: 'run.late', job: 'j' });
  t.deepEqual(toldOf(happened('agent-lost')), { event: 'agent.lost', job: null });
  t.deepEqual(toldOf(happened('tenure-begun', { failover: true })), {
    ...{ event: 'pair.failover', job: null },
  });
  t.is(toldOf(happened('tenure-begun', { failover: false })), null);
  t.is(toldOf(happened('agent-connected')), null);
});

test('what is sent stays small, whatever a reason holds', (t) => {
  const event = { ...happened('run-lost'), message: 'x'.repeat(100_000) };
  const notice = noticeOf(
    event,
    { event: 'run.lost', job: 'j' },
    { id: 'i', pair: 'p', term: '1' },
  );
  t.true(JSON.stringify(notice).length < 2_000);
  t.is(notice.at, '1970-01-01T00:00:00.000Z');
});

test('a signature covers the time and every byte', (t) => {
  const signed = signatureOf('secret', '1700000000', '{"a":1}');
  t.is(signed, 'sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686');
  t.not(signatureOf('secret', '1700000001', '{"a":1}'), signed);
  t.not(signatureOf('secret', '1700000000', '{"a":2}'), signed);
  t.not(signatureOf('other', '1700000000', '{"a":1}'), signed);
});

const pending = {
  id: 'd',
  event: 'run.lost',
  body: '{}',
  attempts: 0,
  ageMs: 0,
  waitMs: 0,
} as const;
const options = { hook: 'h', giveUpAfterMs: 60_000, jitter: 1 };

test('only 2xx is success; anything else is tried again, each time after a longer pause', (t) => {
  const answered = (status: number) => judge(pending, { type: 'answered', status }, options);
  t.like(answered(204), { state: 'delivered', attempts: 1, status: 204, problem: null });
  for (const status of [100, 301, 404, 410, 500]) t.is(answered(status).state, 'pending');
  const failed = { type: 'failed', problem: 'x'.repeat(9_999) } as const;
  t.is(judge(pending, failed, options).problem?.length, 500);
  const pauses = [0, 1, 2, 3, 20].map(
    (attempts) =>
      judge({ ...pending, attempts }, failed, { ...options, giveUpAfterMs: 1e9 }).pauseMs,
  );
  t.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 600_000]);
});

test('it is given up once the next try would come too late', (t) => {
  const failed = { type: 'failed', problem: 'refused' } as const;
  const at = (ageMs: number) => judge({ ...pending, ageMs }, failed, options).state;
  t.deepEqual([58_000, 59_500].map(at), ['pending', 'given-up']);
});
