import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { closeCommands, putCommand, removeCommands } from '@understudy/heartbeat/address/commands';
import { HostNetwork } from '@understudy/scripts/hosts/network';
import type { NetworkHost } from '@understudy/scripts/hosts/network-host';
import { whyNoHosts } from '@understudy/scripts/hosts/why-no-hosts';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import test, { type ExecutionContext } from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';

/** Whoever is let in or refused hears of it at once, and who is not waits for a second before he tries again. */
const NO_ANSWER_MS = 600;
const PORT = 7300;
const ECHO = `
  const { createServer } = require('node:net');
  createServer((socket) => socket.pipe(socket)).listen(${PORT}, '::', () => console.log('listens'));
`;
const GUEST = `
  const { connect } = require('node:net');
  const [, host] = process.argv;
  const socket = connect(${PORT}, host, () => console.log('connected'));
  socket.on('data', (data) => console.log(String(data).trim()));
  socket.on('error', (error) => console.log(error.code));
  process.stdin.pipe(socket);
`;
const missing = whyNoHosts();

interface Door {
  readonly address: VirtualAddress;
  readonly home: NetworkHost;
  readonly client: NetworkHost;
  run(commands: readonly string[]): void;
  connect(): Guest;
}

/** Somebody who connects to the address from another host, and gets back what he says. */
class Guest {
  readonly heard: string[] = [];
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('a guest without output');
    createInterface({ input: child.stdout }).on('line', (line) => this.heard.push(line));
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async hears(line: string): Promise<void> {
    await eventually(() => (this.heard.includes(line) ? true : null), { what: `hearing ${line}` });
  }
}

function onDoor(title: string, check: (t: ExecutionContext, door: Door) => Promise<void>): void {
  for (const family of [4, 6] as const) {
    test.serial(`${title}, IPv${family}`, async (t) => {
      if (missing !== null) {
        t.log(`skipped: ${missing}`);
        if (process.env['CI']) t.fail(missing);
        else t.pass();
        return;
      }
      const network = HostNetwork.make(t, ['home', 'client']);
      const start = (host: NetworkHost, ...args: readonly string[]) => {
        const [program = '', ...rest] = [...host.prefix, process.execPath, ...args];
        const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
        t.teardown(() => child.kill('SIGKILL'));
        return child;
      };
      const [home, client] = [network.host('home'), network.host('client')];
      const [plain = '', length = ''] = (family === 4 ? network.free(2) : network.free6(2)).split(
        '/',
      );
      const server = start(home, '-e', ECHO);
      await once(server.stdout, 'data');
      await check(t, {
        address: { address: plain, prefix: Number(length), family, interface: 'eth0' },
        home,
        client,
        // What is not there can't be removed: that is no error.
        run: (commands) => {
          for (const each of commands) home.run('sh', '-c', `ip ${each} || true`);
        },
        connect: () => new Guest(start(client, '-e', GUEST, '--', plain)),
      });
    });
  }
}

onDoor(
  'behind a closed door who is connected is answered, nobody is let in and nobody is refused; open again, all are let in',
  async (t, { address, home, client, run, connect }) => {
    run([putCommand(address, 60)]);
    const inside = connect();
    inside.say('before');
    await inside.hears('before');
    run(closeCommands(address));
    inside.say('behind');
    await inside.hears('behind');
    const outside = connect();
    await faultLasts(NO_ANSWER_MS);
    t.deepEqual(outside.heard, []);
    t.regex(home.run('ip', 'addr', 'show', 'to', address.address), /inet/, 'it is still here');
    if (address.family === 4) {
      client.run('ip', 'neigh', 'flush', 'all');
      const asked = client.run('sh', '-c', `arping -c 1 -w 1 -I eth0 ${address.address} || true`);
      t.regex(asked, /Received 0 /, 'neighbours are not told that it is here');
    }
    run([...removeCommands(address), putCommand(address, 60)]);
    await outside.hears('connected');
    inside.say('after');
    await inside.hears('after');
  },
);

onDoor(
  'behind a closed door the kernel removes an address all the same, and what closed it is removed by whoever comes next',
  async (t, { address, home, run, connect }) => {
    run([putCommand(address, 1)]);
    run(closeCommands(address));
    // More time does not open it.
    run([putCommand(address, 1)]);
    const has = () => home.run('ip', 'addr', 'show', 'to', address.address).includes('inet');
    t.true(has());
    await eventually(() => (has() ? null : true), { what: 'the kernel to remove it' });
    run([...removeCommands(address), putCommand(address, 60)]);
    const guest = connect();
    guest.say('hello');
    await guest.hears('hello');
    run(removeCommands(address));
    const family = address.family === 4 ? '-4' : '-6';
    const left = home.run(
      'ip',
      family,
      'route',
      'show',
      'table',
      'local',
      'exact',
      address.address,
    );
    t.is(left.trim(), '');
  },
);
