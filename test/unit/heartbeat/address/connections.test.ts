import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Connections } from '@understudy/heartbeat/address/connections';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import test from 'ava';
import { eventually } from '../../../support/cluster/eventually.ts';

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
    const connections = new Connections([address], port);
    t.is(connections.underWay(), 0);
    const client = connect(port, host);
    const [socket] = await once(server, 'connection');
    // The kernel may list one twice while others come and go.
    await eventually(() => (connections.underWay() === 1 ? true : null), {
      what: 'the connection to be counted',
    });
    client.end();
    socket.end();
    await Promise.all([once(client, 'close'), once(socket, 'close')]);
    t.is(connections.underWay(), 0);
  });
}

/** As proc(5) has it: of 10.0.0.10, port 7300, in this state, with its last packet repeated so often in vain. */
function row(state: string, repeated = 0): string {
  const queues = '00000000:00000000 01:00000014';
  return `   7: 0A00000A:1C84 0C00000A:D2F0 ${state} ${queues} 0000000${repeated}     0        0 4711 1\n`;
}

const virtual: VirtualAddress = {
  ...{ address: '10.0.0.10', prefix: 24 },
  ...{ family: 4, interface: 'eth0' },
};

for (const [what, state, repeated, count] of [
  ['is established', '01', 0, 1],
  ['is established, and repeats itself,', '01', 5, 1],
  ['is about to be', '03', 0, 1],
  ['said goodbye, and waits for an answer,', '04', 1, 1],
  ['said goodbye again and again, to nobody,', '04', 2, 0],
  ['was said goodbye to', '08', 0, 1],
  ['is over', '06', 0, 0],
  ['only listens', '0A', 0, 0],
] as const) {
  test(`one that ${what} is ${count === 0 ? 'not ' : ''}waited for`, (t) => {
    const connections = new Connections([virtual], 7_300);
    t.is(connections.underWayIn(row(state, repeated)), count);
    t.is(connections.underWayIn(row('06') + row(state, repeated) + row('0A')), count);
    t.is(new Connections([virtual], 7_301).underWayIn(row(state, repeated)), 0);
  });
}
