import { existsSync, writeFileSync } from 'node:fs';
import { isolationOf } from '@understudy/agent/attempt/isolation';
import test from 'ava';
import { followAgent } from './follow-agent.ts';
import { orderTo, startOrder } from './order.ts';
import { until } from './until.ts';

const isGone = (pid: string | number) => !existsSync(`/proc/${pid}`);

test.serial(
  'I5: an agent that is cut off ends what runs at most once before it may be called lost, and only that',
  async (t) => {
    const { controller, agent } = await followAgent(t, { onLost: { running: 'finish' } });
    controller.lostAfterMs = 6_000;
    controller.endStreams();
    await until(() => controller.registers.length === 2, 'it has heard how long it has');
    await controller.untilFollowed();
    const script = 'trap "" TERM; echo $$; while :; do sleep 0.05; done';
    const once = startOrder(script, { graceMs: 60_000 });
    const again = startOrder(script, { delivery: 'at-least-once' });
    const path = `${agent.data}/endless.mjs`;
    writeFileSync(
      path,
      'export default ({ log }) => { log(process.pid); return new Promise(() => {}); };',
    );
    const hosted = orderTo({ module: { path } }, { graceMs: 60_000 });
    const orders = [once, again, hosted];
    for (const order of orders) controller.order(order);
    for (const { run } of orders) await until(() => controller.log(run).includes('\n'), 'it runs');
    const [oncePid = '', againPid = '', hostPid = ''] = orders.map(({ run }) =>
      controller.log(run).trim(),
    );

    const cutAtMs = performance.now();
    await controller.close();
    await until(() => isGone(oncePid) && isGone(hostPid), 'what runs at most once is over');
    const tookMs = performance.now() - cutAtMs;
    const law = isolationOf({ provenAtMs: 0, lostAfterMs: 6_000 }, 60_000);
    t.log(`over after ${Math.round(tookMs)} ms`);
    t.true(tookMs < 6_000, `it took ${tookMs} ms`);
    t.true(tookMs >= (law?.endAtMs ?? 0) - 1_500, 'it was not ended without need');
    t.false(isGone(againPid), 'what may be tried again goes on');
  },
);

test.serial(
  'a worker that is in contact isolates nothing, though its reports are not stored for long',
  async (t) => {
    const { controller } = await followAgent(t);
    controller.lostAfterMs = 6_000;
    controller.endStreams();
    await until(() => controller.registers.length === 2, 'it has heard how long it has');
    await controller.untilFollowed();
    controller.isStoreAway = true;
    const order = startOrder('sleep 9; echo done');
    controller.order(order);
    await until(() => controller.refusedBatches > 0, 'its reports are refused');
    const beats = controller.beatsSent;
    await until(() => controller.beatsSent > beats + 35, 'more than its time has passed');
    controller.isStoreAway = false;
    t.is((await controller.untilReport('ended', order.run)).outcome, 'exited');
  },
);
