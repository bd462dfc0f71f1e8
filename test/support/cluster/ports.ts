import { once } from 'node:events';
import { createServer } from 'node:net';
import { isPortFree } from '@understudy/scripts/postgres/port';

/** Below the range from which the kernel takes ports for outgoing connections. */
const FIRST = 26_100;
const COUNT = 6_000;

/**
 * Programs of the tests listen on 127.0.0.1. The same port of this address stands for the right to use
 * it there: the kernel gives it to one process of the host and takes it back when that process ends.
 */
const HOLDER_ADDRESS = '127.0.71.1';

/**
 * Free ports of 127.0.0.1 for programs that are started later, and perhaps again. They are this process's
 * until it ends: whoever else of this host asks at the same moment, or later, gets others.
 */
export async function takePorts(count: number): Promise<number[]> {
  const start = Math.floor(Math.random() * COUNT);
  const taken: number[] = [];
  for (let i = 0; i < COUNT && taken.length < count; i++) {
    const port = FIRST + ((start + i) % COUNT);
    if ((await hold(port)) && (await isPortFree(port))) taken.push(port);
  }
  if (taken.length < count) throw new Error(`no ${count} free ports from ${FIRST} on`);
  return taken;
}

/** One such port. */
export async function takePort(): Promise<number> {
  const [port = 0] = await takePorts(1);
  return port;
}

async function hold(port: number): Promise<boolean> {
  const holder = createServer().unref();
  holder.listen(port, HOLDER_ADDRESS);
  return await once(holder, 'listening').then(
    () => true,
    () => false,
  );
}
