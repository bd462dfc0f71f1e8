import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isPortFree } from '@understudy/scripts/postgres/port';
import test from 'ava';
import { takePorts } from '../../support/cluster/ports.ts';

const module = new URL('../../support/cluster/ports.js', import.meta.url).href;
/** Takes a large part of the range, and keeps it until its input ends. */
const TAKE = `
  import { takePorts } from '${module}';
  process.stdout.write(JSON.stringify(await takePorts(500)));
  process.stdin.resume();`;

test('processes that take ports at the same time never get the same one', async (t) => {
  const others = Array.from({ length: 3 }, () => {
    const running = promisify(execFile)(process.execPath, ['--input-type=module', '-e', TAKE]);
    return running;
  });
  const heard = await Promise.all(
    others.map(
      ({ child }) =>
        new Promise<number[]>((resolve) => {
          let text = '';
          child.stdout?.on('data', (chunk) => {
            text += chunk;
            if (text.endsWith(']')) resolve(JSON.parse(text) as number[]);
          });
        }),
    ),
  );
  const own = await takePorts(500);
  const all = [...heard.flat(), ...own];
  t.is(new Set(all).size, 2_000);
  for (const { child } of others) child.stdin?.end();
  await Promise.all(others);
});

test('a taken port can be listened on', async (t) => {
  const [port = 0] = await takePorts(1);
  t.true(await isPortFree(port));
});
