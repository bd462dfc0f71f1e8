import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { isAbsolute } from 'node:path';
import { connectionsUnderWay } from '@understudy/heartbeat/address/connections';
import { IpBatch } from '@understudy/heartbeat/address/ip-batch';
import { findProgram } from '@understudy/shared/runtime/child';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../../support/cluster/eventually.ts';

const isMissing = !isAbsolute(findProgram('ip'));

/** A test that needs iproute2. */
function withIp(title: string, check: (t: ExecutionContext) => Promise<void>): void {
  test(title, async (t) => {
    if (!isMissing) return await check(t);
    t.log('skipped: ip (iproute2) is not installed');
    t.is(process.env['CI'], undefined);
  });
}

withIp('what `ip` says of a command that it does not know is told, and nothing else', async (t) => {
  const error = await new IpBatch().run(['addr frobnicate'], 10_000);
  t.regex(error ?? '', /^ip: .*frobnicate/);
  t.notRegex(error ?? '', /Command failed -/);
});

withIp('commands that go well say nothing', async (t) => {
  t.is(await new IpBatch().run(['addr show', 'link show'], 10_000), null);
});

withIp('one that hangs is killed at its time limit, one that is broken off at once', async (t) => {
  t.regex((await new IpBatch().run(['monitor address'], 300)) ?? '', /no answer within 300 ms/);
  const batch = new IpBatch();
  const running = batch.run(['monitor address'], 60_000);
  batch.breakOff();
  t.regex((await running) ?? '', /it was broken off/);
});

for (const [family, host, listen] of [
  [4, '127.0.0.1', '127.0.0.1'],
  [4, '127.0.0.1', '::'],
  [6, '::1', '::'],
] as const) {
  test(`connections to ${host} at a port that is open at ${listen} are counted while they last`, async (t) => {
    const prefix = family === 4 ? 8 : 128;
    const address: VirtualAddress = { address: host, prefix, family, interface: 'lo' };
    const server = createServer().listen(0, listen);
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    t.is(connectionsUnderWay([address], port), 0);
    const client = connect(port, host);
    const [socket] = await once(server, 'connection');
    // The kernel may list one twice while others come and go.
    await eventually(() => (connectionsUnderWay([address], port) === 1 ? true : null), {
      what: 'the connection to be counted',
    });
    client.end();
    socket.end();
    await Promise.all([once(client, 'close'), once(socket, 'close')]);
    t.is(connectionsUnderWay([address], port), 0);
  });
}
