import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ControllerEvent,
  ControllerProcess,
} from '@understudy/heartbeat/supervise/controller-process';
import { killGroup, processId } from '@understudy/shared/runtime/child';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';

/** Starts what its second argument says, writes the pids, and says that it is ready. */
const STARTER = `
  const { execFileSync } = require('node:child_process');
  const [command, file] = process.argv.slice(2);
  execFileSync('sh', ['-c', command, file], { stdio: 'ignore' });
  process.on('message', () => undefined);
  process.send({ type: 'ready' });`;

interface Started {
  readonly controller: ControllerProcess;
  readonly pid: number;
  /** What it started. */
  readonly pids: readonly number[];
  /** Resolves to what of it lived when the end was reported. */
  readonly gone: Promise<readonly number[]>;
}

async function start(t: ExecutionContext, command: string, isWrapped: boolean): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-controller-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [program, file] = [join(folder, 'starter.cjs'), join(folder, 'written')];
  writeFileSync(program, STARTER);
  const value = `pair-of-test-${process.pid}/${folder}`;
  let hear: (event: ControllerEvent) => void = () => undefined;
  const heard = (kind: ControllerEvent['kind']) =>
    new Promise<void>((resolve) => {
      const before = hear;
      hear = (event) => {
        before(event);
        if (event.kind === kind) resolve();
      };
    });
  const controller = new ControllerProcess({
    command: [process.execPath, program, command, file],
    deathSignal: 'KILL',
    mark: isWrapped ? `UNDERSTUDY_OWNER=${value}` : null,
    config: {},
    environment: { UNDERSTUDY_OWNER: value },
    onEvent: (event) => hear(event),
    log: silentLog,
  });
  const pidsOf = () => (readFileSync(file, 'utf8').match(/\d+/g) ?? []).map(Number);
  const gone = new Promise<readonly number[]>((resolve) => {
    hear = (event) => {
      if (event.kind !== 'controller-gone') return;
      resolve(pidsOf().filter((pid) => processId(pid) !== null));
    };
  });
  const ready = heard('controller-ready');
  controller.start();
  await ready;
  const pid = controller.pid ?? 0;
  const pids = pidsOf();
  t.teardown(() => {
    for (const id of [pid, ...pids]) killGroup(id, 'SIGKILL');
  });
  return { controller, pid, pids, gone };
}

const lives = (pid: number) => processId(pid) !== null;

test('I13: the end of a wrapped program is reported when what left its session is dead, too', async (t) => {
  const { controller, pids, gone } = await start(
    t,
    'setsid sh -c \'echo $$ >> "$0"; exec sleep 60\' "$0" & while ! [ -s "$0" ]; do sleep 0.01; done',
    true,
  );
  t.true(pids.length === 1 && pids.every(lives));
  controller.kill();
  t.deepEqual(await gone, []);
  t.is(controller.pid, null);
});

test('I13: a wrapped program that ends by itself is reported when its children are dead', async (t) => {
  const { pid, pids, gone } = await start(
    t,
    'env -u UNDERSTUDY_OWNER sleep 60 & echo $! >> "$0"',
    true,
  );
  t.true(pids.length === 1 && pids.every(lives));
  process.kill(pid, 'SIGKILL');
  t.deepEqual(await gone, []);
});

test('I13: the end of the built-in controller is reported when its group is dead', async (t) => {
  const { pid, pids, gone } = await start(t, 'sleep 60 & echo $! >> "$0"', false);
  t.true(pids.length === 1 && pids.every(lives));
  process.kill(pid, 'SIGKILL');
  t.deepEqual(await gone, []);
});

test('F15: an end is reported with the exit itself when the built-in controller left nothing', async (t) => {
  const { controller, gone } = await start(t, ': > "$0"', false);
  let isReported = false;
  void gone.then(() => {
    isReported = true;
  });
  controller.kill();
  while (controller.pid !== null) await new Promise((resolve) => setImmediate(resolve));
  t.true(isReported, 'no look at every process lies between');
});

test('F35: a controller that this host can not even start is reported as gone, and ends nobody', async (t) => {
  const gone = await new Promise<ControllerEvent>((resolve) => {
    const controller = new ControllerProcess({
      // Refused before there is a process, as for want of memory.
      command: [process.execPath, 'a\0b'],
      ...{ deathSignal: 'KILL', mark: null, config: {}, environment: {}, log: silentLog },
      onEvent: (event) => event.kind === 'controller-starting' || resolve(event),
    });
    controller.start();
  });
  t.like(gone, { kind: 'controller-gone' });
  t.regex(gone.kind === 'controller-gone' ? gone.detail : '', /could not be started/);
});
