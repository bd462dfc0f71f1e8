import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcherByLibc } from '@understudy/agent/launch/by-libc';
import { launchByNode } from '@understudy/agent/launch/by-node';
import { openLibc } from '@understudy/agent/launch/libc';
import { openLauncher } from '@understudy/agent/launch/open-launcher';
import type { Launch, Launcher } from '@understudy/agent/launch/port';
import test, { type ExecutionContext } from 'ava';

const launchers: Readonly<Record<string, Launcher>> = {
  'the C library': launcherByLibc(openLibc()),
  Node: launchByNode,
};

/** Starts something and waits for its end. */
async function run(t: ExecutionContext, launch: Launcher, about: Partial<Launch>) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-launch-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const log = join(folder, 'log');
  const launched = await launch({
    ...{ command: ['/bin/true'], env: { PATH: '/usr/bin:/bin' }, cwd: null },
    ...{ output: openSync(log, 'a'), ...about },
  });
  return { ...(await launched.exited), pid: launched.pid, said: readFileSync(log, 'utf8') };
}

const shell = (script: string) => ({ command: ['/bin/sh', '-c', script] });

for (const [name, launch] of Object.entries(launchers)) {
  test(`by ${name} a program gets what it was given, and its end is learnt`, async (t) => {
    const { said, exitCode, signal } = await run(t, launch, {
      command: ['/bin/sh', '-c', 'pwd; echo "$0 $WORD" >&2; exit 7', 'an argument'],
      env: { WORD: 'größer als' },
      cwd: '/usr',
    });
    t.is(said, '/usr\nan argument größer als\n');
    t.deepEqual({ exitCode, signal }, { exitCode: 7, signal: null });
  });

  test(`by ${name} an end by a signal is told by its name`, async (t) => {
    const { exitCode, signal } = await run(t, launch, shell('kill -KILL $$'));
    t.deepEqual({ exitCode, signal }, { exitCode: null, signal: 'SIGKILL' });
  });

  test(`by ${name} a program leads a session of its own, reads nothing and heeds all signals`, async (t) => {
    const script = [
      'cut -d " " -f 1,5,6 /proc/$$/stat',
      'readlink /proc/$$/fd/0',
      'exec grep -E "Sig(Blk|Ign)" /proc/self/status',
    ].join('; ');
    const { said, pid } = await run(t, launch, shell(script));
    const none = '0'.repeat(16);
    t.is(said, `${pid} ${pid} ${pid}\n/dev/null\nSigBlk:\t${none}\nSigIgn:\t${none}\n`);
  });

  test(`by ${name} what can't be started is told as it always was`, async (t) => {
    await t.throwsAsync(run(t, launch, { command: ['/no/such/program'] }), { code: 'ENOENT' });
    await t.throwsAsync(run(t, launch, { command: ['/bin/true', 'cut\0short'] }), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });

  test(`by ${name} a script that names no interpreter is run by the shell`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'understudy-launch-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const script = join(folder, 'script');
    writeFileSync(script, 'echo "it ran with $1"\n');
    chmodSync(script, 0o700);
    const { said } = await run(t, launch, { command: [script, 'care'] });
    t.is(said, 'it ran with care\n');
  });

  test(`by ${name} no end is missed or mixed up, however many there are`, async (t) => {
    const codes = Array.from({ length: 100 }, (_, index) => index);
    const ends = await Promise.all(codes.map((code) => run(t, launch, shell(`exit ${code}`))));
    t.deepEqual(
      ends.map(({ exitCode }) => exitCode),
      codes,
    );
    t.is(new Set(ends.map(({ pid }) => pid)).size, codes.length);
  });
}

test('this host has all that the cheapest way needs', async (t) => {
  t.not(await openLauncher((reason) => t.fail(reason)), launchByNode);
});
