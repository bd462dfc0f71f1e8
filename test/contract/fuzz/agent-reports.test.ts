import { randomUUID } from 'node:crypto';
import type { Report } from '@understudy/shared/protocol/agent';
import type { Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { startStore } from '../controller/bench.ts';
import { FakeWorker } from '../controller/fake-worker.ts';
import { authorized, servingController, type Target } from './support/controller.ts';
import { noFault } from './support/fuzzing.ts';
import { answerFault } from './support/judge.ts';
import { nastyBodies, spoiled } from './support/nasty.ts';
import { exchangeRaw, requestBytes } from './support/raw.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const headers = { ...authorized, 'Content-Type': 'application/json' };
const LIMIT_MS = 20_000;

interface Working {
  readonly target: Target;
  readonly worker: FakeWorker;
}

async function working(t: ExecutionContext): Promise<Working> {
  const target = await servingController(t, store);
  await target.bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
  const worker = new FakeWorker(target.bench);
  t.teardown(() => worker.leave());
  await worker.join();
  return { target, worker };
}

/** A run that the worker has been ordered to start. */
async function ordered({ target, worker }: Working): Promise<string> {
  const { body } = await target.bench.ask('POST', '/api/v1/jobs/j/runs', {});
  const { id } = body as Run;
  await worker.order('start');
  return id;
}

const OUTPUT = 'abcdefghijklmnopqrst';
const ended = (run: string, exitCode = 0): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode },
  ...{ signal: null, reason: null, logBytes: OUTPUT.length },
});
const started = (run: string): Report => ({ type: 'started', run, attempt: 1, agoMs: 1, pid: 1 });
const log = (run: string, from: number, to: number): Report => {
  const data = Buffer.from(OUTPUT.slice(from, to)).toString('base64');
  return { type: 'log', run, attempt: 1, offset: from, data };
};

const place = fc.nat(OUTPUT.length);
/** What arrives twice, too early or too late. */
const disorder = fc.array(
  fc.oneof(
    fc.constant({ type: 'started' as const }),
    fc.record({ type: fc.constant('log' as const), a: place, b: place }),
    fc.record({ type: fc.constant('ended' as const), attempt: fc.constantFrom(2, 2 ** 40) }),
    fc.constant({ type: 'unknown' as const }),
  ),
  { maxLength: 12 },
);
/** The third time something is missing it is taken for lost: a database may have lost what it acknowledged. */
const PATIENCE = 3;
const mayLeaveGap = (odd: Odd) => odd.type === 'log' && odd.a > 0 && odd.b > 0;
const disorderWithinPatience = disorder.filter(
  (odds) => odds.filter(mayLeaveGap).length < PATIENCE,
);
type Odd = typeof disorder extends fc.Arbitrary<(infer Each)[]> ? Each : never;

function reportOf(run: string, odd: Odd): Report {
  if (odd.type === 'started') return started(run);
  if (odd.type === 'log') return log(run, Math.min(odd.a, odd.b), Math.max(odd.a, odd.b));
  if (odd.type === 'unknown') return ended(randomUUID(), 3);
  return { ...ended(run, 4), attempt: odd.attempt } as Report;
}

test.serial(
  'F100: reports twice, out of order, with overlaps and gaps lose no byte and change no end',
  async (t) => {
    const all = await working(t);
    const { target, worker } = all;
    await noFault(t, {
      runs: 40,
      cases: fc.tuple(disorderWithinPatience, disorder),
      faultOf: async ([before, after]) => {
        const run = await ordered(all);
        for (const odd of before) await worker.report(reportOf(run, odd));
        await worker.report(log(run, 0, OUTPUT.length), ended(run));
        const first = await target.bench.ask('GET', `/api/v1/runs/${run}`);
        for (const odd of after) await worker.report(reportOf(run, odd), ended(run, 7));
        const last = await target.bench.ask('GET', `/api/v1/runs/${run}`);
        const { state, exitCode, logBytes } = last.body as Run;
        if (state !== 'succeeded' || exitCode !== 0) return `${state} with ${exitCode}`;
        if (logBytes !== OUTPUT.length) return `${logBytes} bytes`;
        if (JSON.stringify(first.body) !== JSON.stringify(last.body))
          return 'changed after its end';
        const text = await fetch(`${target.bench.url}/api/v1/runs/${run}/log`, { headers });
        const output = await text.text();
        return output === OUTPUT ? null : `its log is ${output}`;
      },
    });
    await target.bench.ask('GET', '/readyz');
  },
);

test.serial(
  'F93, F123: reports of foreign agents, with terms and fields that are wrong, change nothing',
  async (t) => {
    const all = await working(t);
    const { target } = all;
    const run = await ordered(all);
    await target.remember();
    const before = (await target.bench.ask('GET', `/api/v1/runs/${run}`)).body;
    const send = async (body: string | Buffer) => {
      const pieces = [requestBytes({ method: 'POST', path: '/agent/v1/reports', headers, body })];
      return answerFault(await exchangeRaw({ port: target.port, pieces, limitMs: LIMIT_MS }));
    };
    const batch = {
      agent: 'w1',
      incarnation: randomUUID(),
      highestTerm: '0',
      reports: [{ seq: 1, report: ended(run, 9) }],
    };
    await noFault(t, { runs: 300, cases: spoiled(batch), faultOf: send });
    // Registered as itself, an agent says something about what another one runs.
    const foreign = { ...batch, agent: 'w2' };
    const registration = {
      ...{ version: '1', labels: {}, slots: 1, highestTerm: '0' },
      attempts: [],
    };
    const { agent, incarnation } = foreign;
    await target.bench.ask('POST', '/agent/v1/register', { agent, incarnation, ...registration });
    t.is(await send(JSON.stringify(foreign)), null);
    for (const highestTerm of ['6', '4611686018427387904', '4611686018427387905', '-1', '1e3', 6]) {
      t.is(await send(JSON.stringify({ ...foreign, highestTerm })), null);
    }
    for (const body of nastyBodies) t.is(await send(body), null);
    t.deepEqual((await target.bench.ask('GET', `/api/v1/runs/${run}`)).body, before);
    await target.judge(t);
  },
);

test.serial(
  'F93: a batch of 16 MB is taken, a larger one refused, and others are answered meanwhile',
  async (t) => {
    const all = await working(t);
    const { target, worker } = all;
    const run = await ordered(all);
    const data = Buffer.alloc(96_000, 0x61).toString('base64');
    const logs = Array.from({ length: 120 }, (_, index): Report => {
      return { type: 'log', run, attempt: 1, offset: index * 96_000, data };
    });
    const sending = worker.report(...logs);
    t.is((await target.bench.ask('GET', '/readyz')).status, 200);
    // A busy database may not take it in time: then it comes again, as a worker's would.
    let taken = await sending;
    while (taken.status === 503) taken = await worker.report(...logs);
    t.is(taken.status, 200);
    // Who is still sending when it is refused may see the connection end before the answer.
    const refused = await worker.report(...logs, ...logs).catch(() => null);
    t.true(refused === null || refused.status === 413);
    t.like((await target.bench.ask('GET', `/api/v1/runs/${run}`)).body, { logBytes: 120 * 96_000 });
  },
);
