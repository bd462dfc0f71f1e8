import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FromController, ToController } from '@understudy/shared/protocol/tenure';
import { killGroup, processId } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';

const guardMain = fileURLToPath(import.meta.resolve('@understudy/heartbeat/guard/main'));

/** Writes its pid and environment, then sleeps; on SIGTERM it says so in the same file and ends. */
const PROGRAM = `
  echo "$$ $UNDERSTUDY_NODE $UNDERSTUDY_PAIR $UNDERSTUDY_TERM $UNDERSTUDY_ROLE" > "$0"
  trap 'echo goodbye >> "$0"; exit 0' TERM
  while :; do sleep 0.05; done`;

interface Guarded {
  readonly guard: ChildProcess;
  readonly said: (type: FromController['type']) => Promise<FromController>;
  readonly tell: (message: ToController) => void;
  readonly ended: Promise<unknown>;
}

function startGuard(t: ExecutionContext, more: object = {}): Guarded {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guard-'));
  const file = join(folder, 'written');
  // A group of its own, as the heartbeat makes one: the guard kills its whole group.
  const guard = fork(guardMain, { detached: true, stdio: 'inherit' });
  const ended = once(guard, 'exit');
  const heard: FromController[] = [];
  guard.on('message', (message) => {
    heard.push(message as FromController);
    guard.emit('heard');
  });
  t.teardown(async () => {
    guard.kill('SIGKILL');
    if (guard.exitCode === null && guard.signalCode === null) await ended;
    rmSync(folder, { recursive: true });
  });
  guard.send({
    type: 'configure',
    config: {
      pair: 'orders',
      node: 'a',
      controller: { command: ['sh', '-c', PROGRAM, file], check: null, ...more },
    },
  });
  return {
    guard,
    tell: (message) => guard.send(message),
    said: async (type) => {
      for (;;) {
        const found = heard.find((message) => message.type === type);
        if (found !== undefined) return found;
        await once(guard, 'heard');
      }
    },
    ended,
  };
}

function tenure(forMs: number) {
  const trustedUntilNs = process.hrtime.bigint() + BigInt(forMs) * 1_000_000n;
  return { term: '5', trustedUntilNs: trustedUntilNs.toString() };
}

/** A check that holds once the program has written its first line. */
const hasStarted = (file: string) => ({
  check: { command: ['test', '-s', file], timeoutMs: 5_000 },
});

test('X12: a wrapped program starts with the tenure and is told who and what it is', async (t) => {
  const { said, tell, guard } = startGuard(t);
  await said('ready');
  tell({ type: 'activate', tenure: tenure(60_000) });
  t.deepEqual(await said('serving'), { type: 'serving', term: '5' });
  tell({ type: 'probe', seq: 1 });
  t.like(await said('probed'), { seq: 1, healthy: true });
  t.is(guard.exitCode, null);
});

test('X4: past the deadline the wrapped program is killed, without anybody telling', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guarded-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'written');
  const { said, tell, ended } = startGuard(t, {
    command: ['sh', '-c', PROGRAM, file],
    ...hasStarted(file),
  });
  await said('ready');
  tell({ type: 'activate', tenure: tenure(1_500) });
  await said('serving');
  const [pid, ...facts] = readFileSync(file, 'utf8').trim().split(' ');
  t.deepEqual(facts, ['a', 'orders', '5', 'active']);
  t.deepEqual(await ended, [null, 'SIGKILL']);
  while (processId(Number(pid)) !== null) await new Promise((resolve) => setTimeout(resolve, 5));
  t.notRegex(readFileSync(file, 'utf8'), /goodbye/);
});

test('An extended tenure lets the wrapped program live, and it may say goodbye when asked to end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guarded-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'written');
  const { said, tell, ended } = startGuard(t, {
    command: ['sh', '-c', PROGRAM, file],
    ...hasStarted(file),
  });
  await said('ready');
  tell({ type: 'activate', tenure: tenure(2_000) });
  tell({ type: 'extend', tenure: tenure(60_000) });
  await said('serving');
  tell({ type: 'deactivate', graceMs: 20_000 });
  await ended;
  t.regex(readFileSync(file, 'utf8'), /goodbye/);
});

test('I12: for a switch-over a wrapped program is asked to end, and its guard ends with it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guarded-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'written');
  const { said, tell, ended } = startGuard(t, {
    command: ['sh', '-c', PROGRAM, file],
    stopTimeoutMs: 20_000,
    ...hasStarted(file),
  });
  await said('ready');
  tell({ type: 'activate', tenure: tenure(60_000) });
  await said('serving');
  tell({ type: 'hold', forMs: 1 });
  await ended;
  t.regex(readFileSync(file, 'utf8'), /goodbye/);
});

test('A wrapped program that ends takes its guard with it, and says why', async (t) => {
  const { said, tell, ended } = startGuard(t, { command: ['sh', '-c', 'exit 3'] });
  await said('ready');
  tell({ type: 'activate', tenure: tenure(60_000) });
  t.like(await said('ending'), { reason: 'the program ended with exit code 3' });
  await ended;
  t.pass();
});

/** The heartbeat's place: starts a guard as the heartbeat does, activates it, and tells what it does. */
const HEARTBEAT = `
  import { spawnTied } from ${JSON.stringify(import.meta.resolve('@understudy/shared/runtime/child'))};
  const [guardMain, file] = process.argv.slice(1);
  const guard = spawnTied([process.execPath, guardMain], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    deathSignal: 'TERM',
  });
  guard.on('message', (said) => process.send({ ...said, guardPid: guard.pid }));
  const check = { command: ['test', '-s', file], timeoutMs: 5_000 };
  // The program's child; the program itself does not wait for it in a way that a signal would reach.
  const script = 'sleep 300 & echo "$$ $!" > "$0"; wait';
  const controller = { command: ['sh', '-c', script, file], check };
  guard.send({ type: 'configure', config: { pair: 'orders', node: 'a', controller } });
  const trustedUntilNs = (process.hrtime.bigint() + 60_000_000_000n).toString();
  guard.send({ type: 'activate', tenure: { term: '5', trustedUntilNs } });`;

interface HeartbeatAndGuard {
  readonly heartbeat: ChildProcess;
  readonly guardPid: number;
  /** The wrapped program and its child. */
  readonly pids: readonly number[];
}

async function startHeartbeat(t: ExecutionContext): Promise<HeartbeatAndGuard> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guarded-'));
  const file = join(folder, 'written');
  const heartbeat = spawn(
    process.execPath,
    ['--input-type=module', '--eval', HEARTBEAT, guardMain, file],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const served = new Promise<number>((resolve) => {
    heartbeat.on('message', (said: FromController & { guardPid: number }) => {
      if (said.type === 'serving') resolve(said.guardPid);
    });
  });
  t.teardown(() => {
    heartbeat.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  const guardPid = await served;
  t.teardown(() => void killGroup(guardPid, 'SIGKILL'));
  const pids = readFileSync(file, 'utf8').trim().split(' ').map(Number);
  return { heartbeat, guardPid, pids };
}

async function gone(pid: number): Promise<void> {
  while (processId(pid) !== null) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('F18: when the heartbeat is killed, the guard ends all that the wrapped program started', async (t) => {
  const { heartbeat, guardPid, pids } = await startHeartbeat(t);
  t.is(pids.length, 2);
  heartbeat.kill('SIGKILL');
  await Promise.all([guardPid, ...pids].map(gone));
  t.pass();
});

test('F18: a guard that was stopped when the heartbeat died ends everything once it continues', async (t) => {
  const { heartbeat, guardPid, pids } = await startHeartbeat(t);
  process.kill(guardPid, 'SIGSTOP');
  heartbeat.kill('SIGKILL');
  await once(heartbeat, 'exit');
  process.kill(guardPid, 'SIGCONT');
  await Promise.all([guardPid, ...pids].map(gone));
  t.pass();
});

test('SIGTERM does not impress a guard whose heartbeat lives', async (t) => {
  const { guard, said, tell } = startGuard(t);
  await said('ready');
  tell({ type: 'activate', tenure: tenure(60_000) });
  await said('serving');
  guard.kill('SIGTERM');
  // Signals are delivered before the next message is read; a guard that heeds it would be gone.
  tell({ type: 'probe', seq: 7 });
  t.like(await said('probed'), { seq: 7, healthy: true });
});

test('X12: while it starts and while it ends, a wrapped program is not judged by its check', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-guarded-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [file, isUp] = [join(folder, 'written'), join(folder, 'up')];
  const { said, tell, guard } = startGuard(t, {
    command: ['sh', '-c', `trap "" TERM; ${PROGRAM.replace(/trap.*/, '')}`, file],
    check: { command: ['test', '-e', isUp], timeoutMs: 5_000 },
  });
  const probe = async (seq: number) => {
    tell({ type: 'probe', seq });
    for (;;) {
      const [message] = (await once(guard, 'message')) as [FromController];
      if (message.type === 'probed' && message.seq === seq) return message;
    }
  };
  await said('ready');
  tell({ type: 'activate', tenure: tenure(60_000) });
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 5));
  t.true((await probe(1)).healthy, 'it starts');
  writeFileSync(isUp, '');
  await said('serving');
  rmSync(isUp);
  t.false((await probe(2)).healthy, 'it serves');
  tell({ type: 'deactivate', graceMs: 20_000 });
  t.true((await probe(3)).healthy, 'it ends');
});
