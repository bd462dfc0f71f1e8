import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { probeTimeoutMs, watchHealth } from '@understudy/heartbeat/supervise/health';
import test from 'ava';

const listen = { host: '127.0.0.1', port: 7300 };
const controller = {
  listen,
  url: 'http://127.0.0.1:7300',
  standby: 'warm',
  command: ['server'],
  check: { tcp: '127.0.0.1:80', timeoutMs: 1_000 },
  stopTimeoutMs: 5_000,
  health: { everyMs: 250, timeoutMs: 400, failures: 3 },
} as const;

test('X12: a probe of a wrapped program may take as long as its check, and a little more', (t) => {
  t.is(probeTimeoutMs(controller), 1_400);
  t.is(probeTimeoutMs({ ...controller, check: null }), 400);
  t.is(probeTimeoutMs({ ...controller, command: [] }), 400, 'the built-in controller has no check');
});

test('A controller that serves is judged after so many bad probes in a row', async (t) => {
  const limits: number[] = [];
  const detail = await new Promise<string>((resolve) => {
    const health = watchHealth({
      controller: {
        pid: 4242,
        ageMs: 1,
        probe: async (timeoutMs) => {
          limits.push(timeoutMs);
          // The second one is answered: it does not count.
          return limits.length === 2 ? { healthy: true, problems: [] } : null;
        },
      },
      config: { everyMs: 1, timeoutMs: 400, failures: 2 },
      probeTimeoutMs: 1_400,
      listen: null,
      isSecure: false,
      servingTerm: () => 5n,
      onUnhealthy: resolve,
    });
    t.teardown(() => health.stop());
  });
  t.is(detail, 'it did not answer within 1400 ms');
  t.deepEqual(limits.slice(0, 4), [1_400, 1_400, 1_400, 1_400]);
});

test('F12: a controller that answers on open connections and takes no new ones is not healthy', async (t) => {
  const kept = new Set<Socket>();
  const server = createServer((_request, response) => {
    response.setHeader('understudy-term', '5');
    response.end();
  });
  server.on('connection', (socket) => {
    kept.add(socket);
    // What a process does to a connection for which it has no descriptor.
    if (kept.size > 1) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  t.teardown(() => kept.forEach((socket) => void socket.destroy()));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const detail = await new Promise<string>((resolve) => {
    const health = watchHealth({
      controller: { pid: 4242, ageMs: 1, probe: async () => null },
      config: { everyMs: 5, timeoutMs: 400, failures: 3 },
      probeTimeoutMs: 400,
      listen: { host: '127.0.0.1', port },
      isSecure: false,
      servingTerm: () => 5n,
      onUnhealthy: resolve,
    });
    t.teardown(() => health.stop());
  });
  t.regex(detail, /its port does not answer/);
});

test('A controller whose port is slow, but whose loop turns, gets four times as long', async (t) => {
  const seen: number[] = [];
  let isTurning = true;
  const failed = new Promise<string>((resolve) => {
    const health = watchHealth({
      controller: {
        ...{ pid: 4242, ageMs: 1 },
        probe: async () => (isTurning ? { healthy: true, problems: [] } : null),
      },
      config: { everyMs: 1, timeoutMs: 400, failures: 3 },
      probeTimeoutMs: 400,
      // Nobody listens there.
      listen: { host: '127.0.0.1', port: 1 },
      isSecure: false,
      servingTerm: () => 5n,
      onUnhealthy: resolve,
      onChecked: (_problem, failures) => {
        seen.push(failures);
        if (seen.length === 5) isTurning = false;
      },
    });
    t.teardown(() => health.stop());
  });
  t.regex(await failed, /its port does not answer/);
  t.deepEqual(seen, [1, 1.25, 1.5, 1.75, 2, 3]);
});
