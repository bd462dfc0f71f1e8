import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hooks } from '@understudy/heartbeat/supervise/hooks';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';

/** Hooks that write their name, term and node, each a line, after what `before` does. */
function makeHooks(
  t: ExecutionContext,
  before: string,
  timeoutMs: number,
  beforePromoted = () => Promise.resolve(),
) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-hooks-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'written');
  const line = '$UNDERSTUDY_HOOK $UNDERSTUDY_TERM $UNDERSTUDY_NODE';
  const command = ['sh', '-c', `${before}; echo "${line}" >> "$0"`, file];
  const hooks = new Hooks({
    commands: { promoted: command, demoted: command, fenced: [] },
    environment: { UNDERSTUDY_NODE: 'a' },
    timeoutMs,
    beforePromoted,
    log: silentLog,
  });
  const written = () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
  return { hooks, written };
}

test('Hooks run with the term of the story, and the end of the heartbeat can wait for them', async (t) => {
  const { hooks, written } = makeHooks(t, 'sleep 0.2', 60_000);
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  hooks.onStory({ kind: 'demoting', term: 5n });
  hooks.onStory({ kind: 'fenced', term: 5n });
  hooks.onStory({ kind: 'given-back', term: 5n });
  t.deepEqual(written(), ['promoted 5 a']);
  await hooks.finished();
  t.deepEqual(written(), ['promoted 5 a', 'demoted 5 a']);
});

test('A lease that could not be given back demotes, too, and only once', async (t) => {
  const { hooks, written } = makeHooks(t, ':', 60_000);
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  hooks.onStory({ kind: 'give-back-failed', term: 5n });
  hooks.onStory({ kind: 'given-back', term: 5n });
  await hooks.finished();
  t.deepEqual(written(), ['promoted 5 a', 'demoted 5 a']);
});

test('A node that handed its lease over is demoted, once', async (t) => {
  const { hooks, written } = makeHooks(t, ':', 60_000);
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  hooks.onStory({ kind: 'handed-over', term: 5n });
  hooks.onStory({ kind: 'given-back', term: 5n });
  await hooks.finished();
  t.deepEqual(written(), ['promoted 5 a', 'demoted 5 a']);
});

test('Nobody is demoted from a grant never used, from promoting, or by giving back for a predecessor', async (t) => {
  const { hooks, written } = makeHooks(t, ':', 60_000);
  hooks.onStory({ kind: 'given-back', term: 3n });
  hooks.onStory({ kind: 'granted', term: 4n });
  hooks.onStory({ kind: 'demoting', term: 4n });
  hooks.onStory({ kind: 'give-back-failed', term: 4n });
  hooks.onStory({ kind: 'serving', term: 6n });
  hooks.onStory({ kind: 'given-back', term: 5n });
  await hooks.finished();
  t.deepEqual(written(), ['promoted 6 a']);
});

test('A hook past its time limit is killed and waited for no longer', async (t) => {
  const { hooks, written } = makeHooks(t, 'sleep 60', 50);
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  t.deepEqual(written(), []);
});

test('A hook that is not there keeps nobody waiting', async (t) => {
  const hooks = new Hooks({
    commands: { promoted: ['/does/not/exist'], demoted: [], fenced: [] },
    environment: {},
    timeoutMs: 60_000,
    log: silentLog,
  });
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  t.pass();
});

test('The hook promoted waits for what comes with the role, and the others do not', async (t) => {
  let open: () => void = () => undefined;
  const before = new Promise<void>((resolve) => {
    open = resolve;
  });
  const { hooks, written } = makeHooks(t, ':', 60_000, () => before);
  hooks.onStory({ kind: 'serving', term: 5n });
  hooks.onStory({ kind: 'handed-over', term: 5n });
  await eventually(() => (written().length > 0 ? true : null), { what: 'a hook to be run' });
  t.deepEqual(written(), ['demoted 5 a']);
  open();
  await hooks.finished();
  t.deepEqual(written(), ['demoted 5 a', 'promoted 5 a']);
});

test('F35: a hook that this host can not even start changes nothing, and that is said', async (t) => {
  const said: string[] = [];
  const hooks = new Hooks({
    commands: { promoted: ['a\0b'], demoted: [], fenced: [] },
    environment: {},
    timeoutMs: 60_000,
    log: { ...silentLog, error: (message) => void said.push(message) },
  });
  hooks.onStory({ kind: 'serving', term: 5n });
  await hooks.finished();
  t.deepEqual(said, ['a hook could not be started']);
});
