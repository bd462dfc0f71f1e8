import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { AgentProcess, dataFolder } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

test('through kills at any moment no attempt starts twice, and each that was ordered comes to one end', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const data = dataFolder(t);
  const env = { PROOF: `${data}/proof` };
  const ordered: ReturnType<typeof startOrder>[] = [];
  const settings = { controllers: [a.url], data, slots: 1_000 };
  for (let life = 0; life < 6; life += 1) {
    const agent = new AgentProcess(t, settings);
    await until(() => a.registers.length > life, `life ${life} registers`);
    await a.untilFollowed();
    for (let index = 0; index < 20; index += 1) {
      const order = startOrder('echo "$UNDERSTUDY_RUN" >> "$PROOF"', { env });
      ordered.push(order);
      a.order(order);
    }
    // Each life is cut a little later in the work than the one before.
    const seen = a.reports.length;
    await until(() => a.reports.length >= seen + life * 6, `life ${life} reports`);
    agent.child.kill('SIGKILL');
    await agent.exited;
    await until(() => a.streams === 0, 'its stream is closed');
  }

  new AgentProcess(t, settings);
  await until(() => a.registers.length > 6, 'the last life registers');
  await a.untilFollowed();
  // An order may have been lost with the stream: what never came is now cancelled, nothing starts.
  for (const order of ordered) a.order({ ...order, type: 'cancel', reason: 'the end' });
  const outcomes = new Map<string, Set<string>>();
  await until(() => {
    for (const report of a.reports) {
      if (report.type !== 'ended') continue;
      outcomes.set(report.run, (outcomes.get(report.run) ?? new Set()).add(report.outcome));
    }
    return outcomes.size === ordered.length;
  }, 'every attempt has come to an end');

  const proof = existsSync(env.PROOF) ? readFileSync(env.PROOF, 'utf8').trim().split('\n') : [];
  t.deepEqual(proof.length, new Set(proof).size, 'an attempt ran twice');
  for (const { run } of ordered) {
    const said = [...(outcomes.get(run) ?? [])];
    t.is(said.length, 1, `${run} came to more than one end: ${said}`);
    if (said[0] === 'exited') t.true(proof.includes(run));
    if (said[0] === 'cancelled') t.false(proof.includes(run));
  }
  t.log(countBy([...outcomes.values()].map((said) => [...said].join())));
});

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
