import test from 'ava';
import { planKinds } from './fail-overs/plan.ts';
import { runStorm } from './fail-overs/storm.ts';

/** All ten kinds at the full rate have their own command. */
const KINDS = ['kill-controller', 'kill-agent', 'switch-over'] as const;
const SEED = 7;
/** Runs a second; a busy machine keeps up with so many. */
const RATE = 30;

test('F1, F112: fail-overs under load lose no run, double no start, and keep every byte of output', async (t) => {
  const told: string[] = [];
  const report = await runStorm(t, {
    seed: SEED,
    rate: RATE,
    plan: (dice) => planKinds(dice, KINDS),
    tell: (text) => told.push(text),
  });
  t.log([...told, ...report.summary].join('\n'));
  t.deepEqual(report.findings, []);
});
