import { setTimeout as delay } from 'node:timers/promises';
import type { Run } from '@understudy/shared/protocol/api';
import { Fleet } from '../agents/fleet.ts';
import { quantile } from '../figures.ts';
import type { HttpConnection } from '../http-connection.ts';
import { type Measure, onStage, repeat } from '../measure.ts';
import { putJob, type Stage, untilConnected, untilDone } from '../stage.ts';

const JOB = 'empty';
const PER_SECOND = 100;
const SECONDS = 15;
const CONNECTIONS = 16;

/** From the answer to a request for a run until its order is on the agent, at a steady 100 a second. */
export const latency: Measure = {
  name: 'latency',
  title: 'from the answer to the order, 100 a second',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 0 }, async (stage) => {
      const { token, controllerPorts: ports } = stage;
      const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: 100 });
      try {
        await untilConnected(stage, 1);
        await putJob(stage, JOB, { command: ['true'] });
        await askSteadily(stage, 1);
        const figures = [
          figure('answer to order at the agent, median', 5),
          figure('answer to order at the agent, p99', 15),
          figure('request to its answer, median'),
          figure('request to its answer, p99'),
        ];
        return await repeat(options, figures, async () => {
          fleet.noteStarts(true);
          const asked = await askSteadily(stage, SECONDS);
          await untilDone(stage, 10_000);
          const starts = await fleet.starts();
          const orders = asked.map(({ run, answeredAt }) => {
            return Math.max(0, (starts.get(run) ?? Number.POSITIVE_INFINITY) - answeredAt);
          });
          const answers = asked.map(({ sentAt, answeredAt }) => answeredAt - sentAt);
          return [orders, answers].flatMap((all) => [quantile(all, 0.5), quantile(all, 0.99)]);
        });
      } finally {
        await fleet.stop();
      }
    }),
};

function figure(title: string, atMost?: number) {
  const about = { measure: 'latency', title, unit: 'ms' };
  return atMost === undefined ? about : { ...about, target: { atMost } };
}

interface Asked {
  readonly run: string;
  readonly sentAt: number;
  readonly answeredAt: number;
}

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function askSteadily(stage: Stage, seconds: number): Promise<readonly Asked[]> {
  const idle = Array.from({ length: CONNECTIONS }, () => stage.connect());
  const all: Promise<Asked>[] = [];
  const begunAt = performance.now();
  const count = PER_SECOND * seconds;
  try {
    for (let sent = 0; sent < count; sent += 1) {
      await delay(Math.max(0, begunAt + (sent / PER_SECOND) * 1_000 - performance.now()));
      const connection = idle.pop() ?? stage.connect();
      all.push(askOne(connection).finally(() => idle.push(connection)));
    }
    return await Promise.all(all);
  } finally {
    for (const connection of idle) connection.close();
  }
}

async function askOne(connection: HttpConnection): Promise<Asked> {
  const sentAt = nowMs();
  const path = `/api/v1/jobs/${JOB}/runs`;
  const answer = await connection.request({ method: 'POST', path, body: '{}' });
  const answeredAt = nowMs();
  if (answer.status !== 201) throw new Error(`a run was answered ${answer.status}`);
  return { run: (JSON.parse(answer.body) as Run).id, sentAt, answeredAt };
}
