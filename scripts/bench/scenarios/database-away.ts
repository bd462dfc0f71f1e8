import { setTimeout as delay } from 'node:timers/promises';
import { findLocalPostgres } from '../../drill/local-postgres.ts';
import { findActive, statusesOf } from '../pair.ts';
import { type Stage, startWork } from '../stage.ts';
import type { Scenario } from './scenario.ts';

/** Longer than any lease of usual settings: without failsafe the active would have to give up. */
const AWAY_MS = 10_000;
/** While nobody changes roles, who only reads notices nothing longer than this. */
const READS_SILENT_AT_MOST_MS = 1_000;
const WRITE_EVERY_MS = 20;
const WRITTEN_WITHIN_MS = 30_000;

/** PostgreSQL as a whole stops: nobody may lose his role, and reads go on. */
export const databaseAway: Scenario = {
  name: 'database-away',
  title: `the database is away for ${AWAY_MS / 1_000} s`,
  isProxied: false,
  measures: [
    {
      name: 'reads',
      title: `database away for ${AWAY_MS / 1_000} s: reads silent`,
      unit: 'ms',
      most: () => READS_SILENT_AT_MOST_MS,
    },
    {
      name: 'first-write',
      title: 'database back: until the first write',
      unit: 'ms',
      most: (stage) => stage.targetMs,
    },
  ],
  play: async (stage) => {
    const { system } = stage;
    const work = await startWork(stage);
    const before = await findActive(system);
    const postgres = findLocalPostgres(before.host.file, system.postgres.url);
    const complaints: string[] = [];
    const prober = stage.startProber();
    try {
      await prober.warm();
      prober.begin();
      postgres.freeze();
      await delay(AWAY_MS);
      if (!(await isInFailsafe(stage))) complaints.push('the active does not say failsafe');
      postgres.thaw();
      const writtenMs = await untilWritten(stage);
      const silenceMs = prober.longestSilenceMs();
      const after = await findActive(system);
      if (after.term !== before.term) {
        complaints.push(`the role moved from ${before.host.node} to ${after.host.node}`);
      }
      complaints.push(...(await work.complaints()));
      return { values: [silenceMs, writtenMs], complaints };
    } finally {
      postgres.thaw();
      prober.stop();
    }
  },
};

async function isInFailsafe({ system }: Stage): Promise<boolean> {
  const statuses = await statusesOf(system);
  return statuses.some((status) => status.role === 'active' && status.failsafe === true);
}

/** How long it takes from now until a write is committed, each try being a request of its own. */
async function untilWritten({ system, token }: Stage): Promise<number> {
  const url = `${system.layout.frontUrl}/api/v1/jobs/bench-written`;
  const body = JSON.stringify({ name: 'bench-written', command: ['true'], paused: true });
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const from = performance.now();
  const writeOnce = async (): Promise<boolean> => {
    const signal = AbortSignal.timeout(WRITTEN_WITHIN_MS);
    const answer = await fetch(url, { method: 'PUT', headers, body, signal });
    await answer.arrayBuffer();
    return answer.ok;
  };
  let writtenMs = Number.POSITIVE_INFINITY;
  const tries: Promise<void>[] = [];
  const take = (isWritten: boolean) => {
    if (isWritten) writtenMs = Math.min(writtenMs, performance.now() - from);
  };
  while (writtenMs > WRITTEN_WITHIN_MS && performance.now() - from < WRITTEN_WITHIN_MS) {
    tries.push(writeOnce().then(take, () => undefined));
    await delay(WRITE_EVERY_MS);
  }
  await Promise.all(tries);
  return writtenMs;
}
