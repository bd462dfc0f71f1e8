import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Gate } from '@understudy/controller/http/gate';
import { SwitchOver } from '@understudy/controller/switch-over';
import { TenureGuard } from '@understudy/controller/tenure/guard';
import test, { type ExecutionContext } from 'ava';

/** A controller of which only the gate and the guard are real; requests are answered by the test. */
async function setUp(t: ExecutionContext) {
  const clock = { monotonicNs: () => 0n, monotonicMs: () => 0, wallMs: () => 0 };
  const guard = new TenureGuard(
    { term: 7n, trustedUntilNs: 1n },
    { clock, trustMs: 1_000, onSlept: () => undefined },
  );
  const waiting: ServerResponse[] = [];
  const gate: Gate = new Gate(async (request, response) => {
    if (!(await gate.enter({ request, response }))) return;
    if (request.url === '/slow') waiting.push(response);
    else response.end('in');
  });
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const switchOver = new SwitchOver({
    ...{ pair: 'orders', credentials: null, node: 'a', guard },
    server: {
      gate,
      divert: (elsewhere) => gate.divert(elsewhere),
      sendIdleAway: note('send away'),
    },
    isAddressMoving: false,
    scheduler: { pause: note('pause'), resume: note('resume'), stop: note('stop') },
    dispatcher: {
      ...{ pause: note('pause'), resume: note('resume'), stop: note('stop') },
      ...{ isIdle: true, whenIdle: async () => undefined },
    },
    committer: { isIdle: true, isAway: false, whenIdle: async () => undefined },
    agents: { leave: (next) => void did.push(`leave for ${next}`) },
    background: [],
    failpoints: { pass: (place) => void did.push(place), stopSchedulerOn: null },
  });
  const server = createServer((request, response) => gate.take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...(signal === undefined ? {} : { signal }) });
  const underWay = async (count: number) => {
    while (gate.underWay !== count) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const parked = async (count: number) => {
    while (gate.parked !== count) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return { switchOver, guard, gate, ask, waiting, did, underWay, parked, port };
}

const LONG_MS = 60_000;

test('it is held once what was under way is answered, and not before', async (t) => {
  const { switchOver, guard, ask, waiting, underWay } = await setUp(t);
  const slow = ask('/slow');
  await underWay(1);
  const held = switchOver.hold(LONG_MS);
  t.true(guard.mayAct(), 'what is under way may still be done');
  waiting[0]?.end('done');
  t.is(await (await slow).text(), 'done');
  t.deepEqual(await held, { type: 'held' });
  t.false(guard.mayAct());
  t.deepEqual(await switchOver.hold(LONG_MS), { type: 'held' }, 'asked again it says so again');
});

test('a long answer that has begun does not count', async (t) => {
  const { switchOver, gate, ask, waiting, underWay } = await setUp(t);
  const slow = ask('/slow');
  await underWay(1);
  const [response] = waiting;
  response?.write('begun');
  if (response !== undefined) gate.letGo(response);
  t.deepEqual(await switchOver.hold(LONG_MS), { type: 'held' });
  response?.end();
  t.is(await (await slow).text(), 'begun');
});

test('a client that reads slowly holds up nothing', async (t) => {
  const { switchOver, gate, waiting, underWay, port } = await setUp(t);
  const socket = connect(port, '127.0.0.1').pause();
  t.teardown(() => socket.destroy());
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await underWay(1);
  waiting[0]?.end('x'.repeat(50_000_000));
  t.is(gate.underWay, 0);
  t.false(waiting[0]?.writableFinished);
  t.deepEqual(await switchOver.hold(LONG_MS), { type: 'held' });
});

test('what takes too long is the reason of a failed hold, and who waited is let in', async (t) => {
  const { switchOver, guard, ask, waiting, did, underWay } = await setUp(t);
  const slow = ask('/slow');
  await underWay(1);
  const held = switchOver.hold(50);
  const parked = ask('/other');
  t.deepEqual(await held, { type: 'failed', reason: '1 requests are under way' });
  t.is(await (await parked).text(), 'in');
  t.true(guard.mayAct());
  t.deepEqual(did, ['before-hold', 'pause', 'pause', 'after-hold', 'resume', 'resume']);
  waiting[0]?.end();
  await slow;
});

test('a hold can be called off before it is held', async (t) => {
  const { switchOver, guard, ask, waiting, underWay } = await setUp(t);
  const slow = ask('/slow');
  await underWay(1);
  const held = switchOver.hold(LONG_MS);
  switchOver.resume();
  waiting[0]?.end();
  t.deepEqual(await held, { type: 'called-off' });
  t.true(guard.mayAct());
  t.is((await slow).status, 200);
});

test('a tenure in doubt can not be held, and looking at it takes no processor', async (t) => {
  const { switchOver, guard } = await setUp(t);
  guard.hold();
  const held = await switchOver.hold(50);
  t.deepEqual(held, { type: 'failed', reason: 'the tenure is in doubt' });
});

test('health is told at any time; a client that does not wait is forgotten', async (t) => {
  const { switchOver, ask, gate, parked } = await setUp(t);
  await switchOver.hold(LONG_MS);
  t.is(await (await ask('/readyz?x')).text(), 'in');
  const gone = new AbortController();
  const aborted = ask('/other', gone.signal).catch((error: unknown) => error);
  const also = ask('/other');
  await parked(2);
  gone.abort();
  t.is(((await aborted) as Error).name, 'AbortError');
  await parked(1);
  switchOver.resume();
  t.is(await (await also).text(), 'in');
  t.is(gate.underWay, 0);
});

test('told to end while it is held, it lets in who waits, and may still not act', async (t) => {
  const { switchOver, guard, ask, parked } = await setUp(t);
  await switchOver.hold(LONG_MS);
  const other = ask('/other');
  await parked(1);
  switchOver.end();
  t.is((await other).status, 200);
  t.false(guard.mayAct());
});

test('forwarding is for good: workers are sent on, and nothing takes it back', async (t) => {
  const { switchOver, guard, ask, did, parked } = await setUp(t);
  const next = createServer((_request, response) => void response.end('next'));
  next.listen(0, '127.0.0.1');
  await once(next, 'listening');
  t.teardown(() => {
    next.close();
    next.closeAllConnections();
  });
  await switchOver.hold(LONG_MS);
  const early = ask('/early');
  await parked(1);
  const url = `http://127.0.0.1:${(next.address() as AddressInfo).port}`;
  switchOver.forward(url);
  switchOver.resume();
  t.is(await (await early).text(), 'next');
  t.is(await (await ask('/late')).text(), 'next');
  t.false(guard.mayAct());
  t.true(did.includes(`leave for ${url}`));
  t.is((await switchOver.hold(1)).type, 'failed');
});
