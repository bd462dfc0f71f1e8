import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, type Running } from '@understudy/agent/executor/execute';
import { OutputWatch } from '@understudy/agent/executor/output';
import { Trees } from '@understudy/agent/executor/trees';
import { openLauncher } from '@understudy/agent/launch/open-launcher';
import test, { type ExecutionContext } from 'ava';

/** Runs a script as a worker does that can make no cgroup. */
async function run(t: ExecutionContext, script: string, graceMs = 5_000) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-execute-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const log = join(folder, 'log');
  const launch = await openLauncher((reason) => t.fail(reason));
  const executed = await execute(
    {
      command: ['/bin/sh', '-c', script],
      env: { PATH: '/usr/bin:/bin', MARK: folder },
      ...{ cwd: null, account: null, timeoutMs: null, graceMs, log, outputLimit: null },
      carries: (environment) => environment.includes(`\0MARK=${folder}\0`),
    },
    { launch, trees: new Trees(null), outputs: new OutputWatch(), isTied: () => false },
  );
  if (executed.type !== 'running') throw new Error(executed.reason);
  t.teardown(() => executed.running.end({ outcome: 'lost', reason: 'the test is over' }, 0));
  return { running: executed.running, said: () => readFileSync(log, 'utf8') };
}

async function untilSaid(said: () => string, words: string): Promise<void> {
  while (!said().includes(words)) await new Promise((resolve) => setTimeout(resolve, 10));
}

const cancel = (running: Running) => running.end({ outcome: 'cancelled', reason: 'by request' });

test('F104: without a cgroup who left the session is found by his mark', async (t) => {
  const { running, said } = await run(t, 'setsid sleep 1000 > /dev/null & echo $!');
  const ended = await running.ended;
  t.is(ended.outcome, 'exited');
  t.is(ended.reason, 'killed what it left behind (1)');
  const pid = said().trim();
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('F104: without a cgroup who cleared his environment is found while his parent lives', async (t) => {
  const { running, said } = await run(
    t,
    `env -i /usr/bin/setsid /bin/sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done' & wait`,
    200,
  );
  await untilSaid(said, 'up');
  cancel(running);
  t.regex((await running.ended).reason ?? '', /^by request; killed what it left behind \(\d\)$/);
});

test('a second reason to end an attempt changes nothing but its grace', async (t) => {
  const { running, said } = await run(
    t,
    'trap "" TERM; echo up; while :; do sleep 0.05; done',
    60_000,
  );
  await untilSaid(said, 'up');
  cancel(running);
  running.end({ outcome: 'lost', reason: 'cut off' }, 50);
  const ended = await running.ended;
  t.is(ended.outcome, 'cancelled');
  t.is(ended.signal, 'SIGKILL');
});
