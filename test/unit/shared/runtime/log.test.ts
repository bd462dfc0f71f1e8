import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import test from 'ava';

const module = new URL('../../../../../shared/dist/runtime/log.js', import.meta.url).href;
const SAY = `
  import { makeLog } from '${module}';
  const log = makeLog({ level: 'info', format: 'text' }, {});
  log.info('one');
  setTimeout(() => log.info('two'), 50);`;

test('F28: a log that can not be written ends nobody', async (t) => {
  const full = openSync('/dev/full', 'a');
  const child = spawn(process.execPath, ['--input-type=module', '-e', SAY], {
    stdio: ['ignore', 'ignore', full],
  });
  closeSync(full);
  t.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a log goes to standard error, one line for each message', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SAY], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += String(chunk);
  });
  await once(child, 'close');
  t.deepEqual(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1)),
    ['one', 'two'],
  );
});
