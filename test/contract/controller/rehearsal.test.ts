import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Gate } from '@understudy/controller/http/gate';
import { Caller } from '@understudy/controller/rehearsal/caller';
import { practiseBeginning } from '@understudy/controller/rehearsal/practise-beginning';
import { rehearse } from '@understudy/controller/rehearsal/rehearse';
import { WriterLane } from '@understudy/controller/store/lane';
import { Reader } from '@understudy/controller/store/reader';
import { jobSchema } from '@understudy/shared/protocol/api';
import { systemClock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import { takePort } from '../../support/cluster/ports.ts';
import { Bench, keepAll, startStore, TOKEN } from './bench.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function stageOf(t: ExecutionContext) {
  const bench = await Bench.start(t, store.postgres);
  const identity = { pair: 'orders', node: 'a', database: bench.database, schema: 'understudy' };
  const reader = new Reader({ ...identity, onAway: () => t.fail('the database was away') });
  t.teardown(() => reader.close());
  const port = await takePort();
  const config = {
    ...{ ...identity, token: TOKEN, keystore: null },
    controller: { listen: { host: '127.0.0.1', port }, url: `http://127.0.0.1:${port}` },
    vip: [],
    agents: { beatEveryMs: 500, lostAfterMs: 60_000 },
    output: { limitBytes: 1024 ** 2 },
    retention: keepAll,
  } as unknown as ControllerHostConfig;
  const lane = new WriterLane({ ...identity, purpose: 'rehearsal' });
  t.teardown(() => lane.close());
  return { bench, port, stage: { config, reader, lane, clock: systemClock, log: silentLog } };
}

test.serial(
  'a rehearsal plays all of its rounds, opens no port and writes not a row',
  async (t) => {
    const { bench, port, stage } = await stageOf(t);
    const playing = rehearse({ ...stage, signal: new AbortController().signal });
    t.is(await knock(port), 'ECONNREFUSED');
    const rounds = await playing;
    t.true(rounds > 0, 'it came to an end of a round');
    const [rows] = await bench.query(
      `select (select count(*) from understudy.run) + (select count(*) from understudy.job)
       + (select count(*) from understudy.agent) + (select count(*) from understudy.event) as count`,
    );
    t.deepEqual(rows, { count: '0' });
  },
);

test.serial('what is open is taken over for practice, unless there is much of it', async (t) => {
  const { bench, stage } = await stageOf(t);
  const { pair } = stage.config;
  const definition = JSON.stringify(jobSchema.parse({ name: 'x', command: ['true'] }));
  const addJobs = (from: number, to: number) =>
    bench.query(`insert into understudy.job
      (pair, name, definition, decided_until, created_at, updated_at, term)
      select '${pair}', 'j' || n, '${definition}', now(), now(), now(), 0
      from generate_series(${from}, ${to}) n`);
  await addJobs(1, 20);
  const taken: number[] = [];
  const rested: string[] = [];
  const practise = () =>
    practiseBeginning({
      ...{ pair, lane: new WriterLane({ ...stage.config, purpose: 'rehearsal' }) },
      assemble: () => ({
        load: ({ work }) => void taken.push(work.jobs.length),
        handlerIn: () => () => undefined,
        rest: () => void rested.push('well'),
      }),
      surroundings: {
        server: { closing: new AbortController().signal, gate: new Gate(() => undefined) },
        ...{ isFailsafe: () => false, since: 0 },
      },
      signal: new AbortController().signal,
    });
  t.is(await practise(), 10);
  t.deepEqual(taken, Array(10).fill(20));
  t.is(rested.length, 10, 'nothing of it goes on');
  await addJobs(21, 300);
  await bench.query(`insert into understudy.agent
      (pair, id, incarnation, version, labels, slots, draining, lost, last_seen_at, term)
      select '${pair}', 'w' || n, gen_random_uuid(), '1', '{}', 1, false, false, now(), 0
      from generate_series(1, 201) n`);
  t.is(await practise(), 0, 'of all kinds together');
  t.is(taken.length, 10);
});

test.serial(
  'where what is open can not be read, the play goes on without it, and that is said',
  async (t) => {
    const { stage } = await stageOf(t);
    const said: string[] = [];
    const log = { ...silentLog, warn: (text: string) => void said.push(text) };
    const lane = new WriterLane({ ...stage.config, schema: 'nowhere', purpose: 'rehearsal' });
    const rounds = await rehearse({ ...stage, lane, log, signal: new AbortController().signal });
    t.true(rounds > 0);
    t.deepEqual(said, ['what is open could not be taken over for practice']);
  },
);

test.serial('a rehearsal is over at once when the real thing begins', async (t) => {
  const { stage } = await stageOf(t);
  const begins = new AbortController();
  const playing = rehearse({ ...stage, signal: begins.signal });
  begins.abort();
  t.is(await playing, 0);
});

test.serial(
  'a rehearsal that waits for an order which never comes is over at once, too',
  async (t) => {
    const { stage } = await stageOf(t);
    const { open } = Caller.prototype;
    t.teardown(() => Object.assign(Caller.prototype, { open }));
    const asked = new EventEmitter();
    Caller.prototype.open = function (what) {
      // The worker hears nothing, so it is ordered nothing.
      if (what.path.startsWith('/agent/v1/orders')) {
        return Promise.resolve(new PassThrough() as unknown as IncomingMessage);
      }
      const answer = open.call(this, what);
      if (what.path.endsWith('/runs'))
        answer.then(
          () => asked.emit('a run'),
          () => undefined,
        );
      return answer;
    };
    const begins = new AbortController();
    const playing = rehearse({ ...stage, signal: begins.signal });
    await once(asked, 'a run', { signal: AbortSignal.timeout(60_000) });
    // As what begins the real thing comes: as an event of its own, once the answer was read.
    await pause(100);
    begins.abort();
    const late = pause(30_000, 'late', { ref: false });
    t.is(await Promise.race([playing, late]), 0);
  },
);

function knock(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}
