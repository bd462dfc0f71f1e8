import { describeEvent } from '@understudy/scripts/cli/explain/describe-event';
import { explain, findSubject } from '@understudy/scripts/cli/explain/why';
import { eventId, type PairEvent } from '@understudy/shared/protocol/events';
import test from 'ava';

const AT = Date.parse('2026-01-31T12:00:00.000Z');

function eventOf(
  node: string,
  seq: number,
  afterMs: number,
  rest: Partial<PairEvent> & { readonly kind: string },
): PairEvent {
  const atMs = AT + afterMs;
  return {
    id: eventId({ atMs, node, seq }),
    at: new Date(atMs).toISOString(),
    ...{ node, incarnation: 'i', seq, term: null, message: rest.kind },
    ...{ rule: null, evidence: null, facts: {} },
    ...rest,
  };
}

const demoting = eventOf('a', 9, 0, {
  kind: 'demoting',
  term: '6',
  message: 'goes passive',
  evidence: 'controller ended: SIGKILL',
  rule: 'a node without a controller is not active',
});
const claiming = eventOf('b', 3, 20, {
  kind: 'claiming',
  message: 'claims the lease',
  evidence: 'the lease is free: a let it go',
  rule: 'a lease that was released may be claimed at once',
});
const served = eventOf('b', 5, 61, {
  kind: 'served',
  term: '7',
  message: 'active: the controller serves',
  facts: {
    ...{ failure: 'controller-crash', from: 'a', interruptedMs: 61, promisedMs: 1_000 },
    measured: 'demotion-to-serving',
  },
});
const longBefore = eventOf('a', 1, -60_000, { kind: 'served', term: '6', message: 'long before' });
const events = [longBefore, demoting, claiming, served];

test('why without an event is about the last change of role', (t) => {
  t.is(findSubject(events, null), served);
  t.is(findSubject(events.slice(0, 3), null), demoting);
  t.is(findSubject(events, demoting.id), demoting);
  t.is(findSubject(events, 'mwq53jgq-b-1'), null);
  t.is(findSubject([claiming], null), null);
});

test('a fail-over is explained with evidence, rule, term, the other side, and the interruption', (t) => {
  const text = explain(served, events);
  t.regex(text, /From which evidence\n {2}the lease is free: a let it go/);
  t.regex(text, /By which rule\n {2}a lease that was released may be claimed at once/);
  t.regex(text, /Under which term\n {2}7, granted to b; nothing of an earlier one \(a\)/);
  t.regex(
    text,
    /What the other side saw[^\n]*\n {2}2026-01-31 12:00:00.000 {2}a {2}term 6 {2}goes/,
  );
  t.regex(text, /61 ms, from the demotion of the old active until the new one served/);
  t.regex(text, /promised: at most 1000 ms for a controller crash: kept/);
  t.false(text.includes('long before'));
});

test('a demotion is explained with the interruption that it led to', (t) => {
  t.regex(explain(demoting, events), /interrupted\n {2}61 ms/);
  t.notRegex(explain(demoting, [longBefore, demoting]), /interrupted/);
});

test('a broken promise is said loudly', (t) => {
  const slow = { ...served, facts: { ...served.facts, interruptedMs: 1_200 } };
  t.regex(explain(slow, events), /BROKEN/);
});

test('an event is one line', (t) => {
  t.is(
    describeEvent(demoting),
    `2026-01-31 12:00:00.000  a  term 6  goes passive: controller ended: SIGKILL  [${demoting.id}]`,
  );
});
