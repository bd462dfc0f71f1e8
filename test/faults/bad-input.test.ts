import { connect, type Socket } from 'node:net';
import test from 'ava';
import { brokenRequests } from '../contract/fuzz/support/broken.ts';
import { footprintOf, more } from '../contract/fuzz/support/footprint.ts';
import { nastyBodies } from '../contract/fuzz/support/nasty.ts';
import { exchangeRaw, type RawOptions, requestBytes } from '../contract/fuzz/support/raw.ts';
import { eventually } from '../support/cluster/eventually.ts';
import { Scenario } from './scenario.ts';

const LIMIT_MS = 30_000;
const MOST_MORE_MB = 200;
const MOST_MORE_DESCRIPTORS = 50;
const IDLE = 500;
const SLOW = 50;

test('F92, F126: the nastiest input at both hosts at once changes no role and loses nothing', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const controllers = [before.activeStatus, before.passiveStatus].map(
    ({ controller }) => controller.pid,
  );
  const pids = [...cluster.hosts.map(({ heartbeat }) => heartbeat.pid), ...controllers].filter(
    (pid) => pid !== null,
  );
  const held = pids.map(footprintOf);
  const heartbeats = cluster.hosts.map(({ options }) => Number(new URL(options.heartbeatUrl).port));
  const controller = Number(new URL(before.active.options.controllerUrl).port);
  const ports = [...heartbeats, controller];

  const idle = ports.flatMap((port) => Array.from({ length: IDLE }, () => silent(port)));
  t.teardown(() => {
    for (const socket of idle) socket.destroy();
  });
  const slow = ports.flatMap((port) => Array.from({ length: SLOW }, () => slowly(port)));
  const { token } = cluster.facts;
  await Promise.all([...ports.map((port) => batch(port, token)), ...slow]);
  for (const socket of idle) socket.destroy();

  await eventually(
    () => {
      const now = pids.map((pid, index) => more(footprintOf(pid), held[index]));
      const isFlat = now.every(({ descriptors }) => descriptors < MOST_MORE_DESCRIPTORS);
      return isFlat ? true : null;
    },
    { what: 'every descriptor to be given back' },
  );
  for (const [index, pid] of pids.entries()) {
    const { residentMb } = more(footprintOf(pid), held[index]);
    t.true(residentMb < MOST_MORE_MB, `process ${pid} holds ${Math.round(residentMb)} MB more`);
  }
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.active.node);
  t.is(BigInt(after.activeStatus.term ?? 0), termBefore);
  t.is(after.activeStatus.controller.pid, before.activeStatus.controller.pid);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

function silent(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  return socket.resume();
}

/** A request letter by letter, until it is cut off. */
async function slowly(port: number): Promise<void> {
  const text = `GET /live HTTP/1.1\r\nHost: x\r\nX-Slow: ${'x'.repeat(100)}\r\n`;
  await send(
    port,
    [...text].flatMap((letter) => [letter, 200]),
  );
}

/** Everything that is wrong, one after the other: as no request, as a body, with and without the token. */
async function batch(port: number, token: string): Promise<void> {
  for (const pieces of Object.values(brokenRequests)) await send(port, pieces);
  const targets = ['/peer/v1/exchange', '/api/v1/jobs', '/agent/v1/register', '/agent/v1/reports'];
  for (const path of targets) {
    for (const bearer of [token, 'x']) {
      const headers = { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' };
      for (const body of nastyBodies)
        await send(port, [requestBytes({ method: 'POST', path, headers, body })]);
      const head = { ...headers, 'Content-Length': '50000000' };
      const chunk = Buffer.alloc(1_000_000, 0x78);
      const pieces = [
        requestBytes({ method: 'POST', path, headers: head }),
        ...Array(50).fill(chunk),
      ];
      await send(port, pieces);
    }
  }
}

async function send(port: number, pieces: RawOptions['pieces']): Promise<void> {
  const { end } = await exchangeRaw({ port, pieces, limitMs: LIMIT_MS });
  if (end === 'silent') throw new Error(`left open: ${String(pieces[0]).slice(0, 200)}`);
}
