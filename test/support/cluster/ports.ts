import { isPortFree } from '@understudy/scripts/postgres/port';

/** Below the range from which the kernel takes ports for outgoing connections. */
const FIRST = 25_800;
const COUNT = 200;

/** Free ports of 127.0.0.1 for programs that are started later. */
export async function takePorts(count: number): Promise<number[]> {
  const start = process.pid % COUNT;
  const taken: number[] = [];
  for (let i = 0; i < COUNT && taken.length < count; i++) {
    const port = FIRST + ((start + i) % COUNT);
    if (await isPortFree(port)) taken.push(port);
  }
  if (taken.length < count) throw new Error(`no ${count} free ports from ${FIRST} on`);
  return taken;
}
