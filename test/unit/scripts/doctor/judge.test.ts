import { judgeSpace } from '@understudy/scripts/doctor/checks/agent';
import { judgeNode, judgeOpenFiles } from '@understudy/scripts/doctor/checks/host';
import { judgePeer, type PeerFacts } from '@understudy/scripts/doctor/checks/peers';
import { type Finding, ok } from '@understudy/scripts/doctor/finding';
import { type DatabaseFacts, judgeDatabase } from '@understudy/scripts/doctor/judge-database';
import { runChecks } from '@understudy/scripts/doctor/run-checks';
import { deriveTimers } from '@understudy/shared/kernel/timers';
import { version } from '@understudy/shared/runtime/version';
import test from 'ava';

const { timers } = deriveTimers(2_000);
const good: DatabaseFacts = {
  server: 'db1:5432',
  version: 160_004,
  connectionsLeft: 80,
  fsync: true,
  fullPageWrites: true,
  synchronousCommit: 'on',
  synchronousStandbys: '',
  isReplicated: false,
  roundTripMs: 1,
  clockOffsetMs: -3,
  forbidden: [],
};

function bad(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ level, check }) => (level === 'ok' ? [] : [`${level}: ${check}`]));
}

test('a good database is good in everything', (t) => {
  t.deepEqual(bad(judgeDatabase(good, timers)), []);
});

const spoilt = test.macro({
  exec(t, change: Partial<DatabaseFacts>, expected: string) {
    const findings = judgeDatabase({ ...good, ...change }, timers);
    t.deepEqual(bad(findings), [expected]);
    t.true(findings.every(({ level, advice }) => (level === 'ok') === (advice === null)));
  },
  title: (_, change) => `a database is not good with ${JSON.stringify(change)}`,
});

test(spoilt, { version: 130_012 }, 'problem: database');
test(spoilt, { forbidden: ['lease', 'fence()'] }, 'problem: database rights');
test(spoilt, { roundTripMs: 40 }, 'warning: database distance');
test(spoilt, { roundTripMs: 80 }, 'problem: database distance');
test(spoilt, { clockOffsetMs: -2_000 }, 'warning: database clock');
test(spoilt, { connectionsLeft: 3 }, 'warning: database connections');
test(spoilt, { fsync: false }, 'problem: database durability');
test(spoilt, { fullPageWrites: false }, 'warning: database durability');
test(spoilt, { synchronousCommit: 'off' }, 'warning: database durability');
test(spoilt, { isReplicated: true }, 'warning: database durability');

test('a peer must be another node of the same pair, with the same token', (t) => {
  const own = { pair: 'orders', node: 'a', timers };
  const peer: PeerFacts = { pair: 'orders', node: 'b', version, timings: { ...timers } };
  const judge = (change: Partial<PeerFacts>, isTokenRefused = false) =>
    bad(judgePeer('peer', { ...peer, ...change }, own, isTokenRefused));
  t.deepEqual(judge({}), []);
  t.deepEqual(judge({ pair: 'other' }), ['problem: peer']);
  t.deepEqual(judge({ node: 'a' }), ['problem: peer']);
  t.deepEqual(judge({}, true), ['problem: peer']);
  t.deepEqual(judge({ version: '0.0.1' }), ['warning: peer']);
  t.deepEqual(judge({ timings: { ...timers, ttlMs: 1 } }), ['warning: peer']);
});

test('an old Node, few open files and a full disk are told of', (t) => {
  t.is(judgeNode('20.18.9').level, 'problem');
  t.is(judgeNode('20.19.0').level, 'ok');
  t.is(judgeNode('22.0.0').level, 'ok');
  t.is(
    judgeOpenFiles('Max open files            1024                 1024       files').level,
    'warning',
  );
  t.is(
    judgeOpenFiles('Max open files            1024                 65536      files').level,
    'ok',
  );
  t.is(judgeSpace(50_000_000).level, 'problem');
  t.is(judgeSpace(500_000_000).level, 'warning');
  t.is(judgeSpace(5_000_000_000).level, 'ok');
});

test('a check that fails or hangs is a problem, and keeps no other from being made', async (t) => {
  let isAborted = false;
  const checks = [
    {
      name: 'broken',
      look: () => {
        throw new Error('no such thing');
      },
    },
    {
      name: 'hanging',
      look: (signal: AbortSignal) => {
        signal.addEventListener('abort', () => {
          isAborted = true;
        });
        return new Promise<never>(() => undefined);
      },
    },
    { name: 'fine', look: () => [ok('fine', 'all is well')] },
  ];
  const findings = await runChecks(checks, 50);
  t.deepEqual(
    findings.map(({ check, level }) => [check, level]),
    [
      ['broken', 'problem'],
      ['hanging', 'problem'],
      ['fine', 'ok'],
    ],
  );
  t.regex(findings[1]?.text ?? '', /no answer within 50 ms/);
  t.true(isAborted);
});
