import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Output, OutputWatch } from '@understudy/agent/executor/output';
import test, { type ExecutionContext } from 'ava';

function fileFor(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-output-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'log');
}

test('what goes beyond the limit is cut off and counted, again and again', (t) => {
  const path = fileFor(t);
  const output = new Output(path, { limitBytes: 5, onLimit: 'truncate' });
  appendFileSync(path, 'abcdefg');
  t.is(output.bytes, 5, 'not told even before the cut');
  t.false(output.cut());
  appendFileSync(path, 'hi');
  t.is(output.close(), '4 bytes of its output were dropped');
  t.is(readFileSync(path, 'utf8'), 'abcde');
  t.is(output.bytes, 5);
});

test('an output that may not grow further says so once it does', async (t) => {
  const path = fileFor(t);
  const output = new Output(path, { limitBytes: 5, onLimit: 'kill' });
  const watch = new OutputWatch();
  appendFileSync(path, 'abcde');
  t.false(output.cut());
  const told = new Promise<void>((resolve) => {
    const stop = watch.add(output, () => {
      stop();
      resolve();
    });
  });
  appendFileSync(path, 'f');
  await told;
  t.is(output.close(), '1 bytes of its output were dropped');
});

test('without a limit everything is kept', (t) => {
  const path = fileFor(t);
  const output = new Output(path, null);
  appendFileSync(path, 'x'.repeat(100_000));
  t.is(output.close(), null);
  t.is(output.bytes, 100_000);
});

test('of an attempt that said nothing no file is left', (t) => {
  const path = fileFor(t);
  const output = new Output(path, null);
  t.true(existsSync(path));
  t.is(output.close(), null);
  t.is(output.bytes, 0);
  t.false(existsSync(path));
});
