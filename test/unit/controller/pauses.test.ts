import type { TenureContext } from '@understudy/controller/work/context';
import { WorkState } from '@understudy/controller/work/state';
import test from 'ava';
import { makeRun } from './make-run.ts';

/** A state that holds one run, whose next attempt may begin in 20 ms; and when it may. */
function waitingState() {
  const clock = { monotonicNs: () => 0n, monotonicMs: () => 0, wallMs: () => 5_000 };
  const state = new WorkState({
    ...{ pair: 'orders', node: 'a', term: 7n, clock },
  } as TenureContext);
  const queued = new Promise<string>((resolve) => {
    state.onQueued = () => resolve('queued');
  });
  state.load({ jobs: [], agents: [], runs: [makeRun({}, { notBefore: 5_020 })] });
  return { state, queued };
}

const after = (ms: number) =>
  new Promise<string>((resolve) => {
    setTimeout(() => resolve('waits on'), ms);
  });

test('a run is in the queue once the pause before its next attempt is over', async (t) => {
  const { queued } = waitingState();
  t.is(await Promise.race([queued, after(30_000)]), 'queued');
});

test('in a state that is at rest it waits on', async (t) => {
  const { state, queued } = waitingState();
  state.stop();
  t.is(await Promise.race([queued, after(100)]), 'waits on');
});
