import type { JobInput } from '@understudy/shared/protocol/api';
import { judgeLoad, type LoadVerdict } from '../load/judge.ts';
import type { Measure, Round, Scenario } from '../scenarios/scenario.ts';
import { runsWhenOver, switchUnderLoad } from '../scenarios/switch-over.ts';
import { startWork } from '../stage.ts';
import type { HostsStage, Route } from './stage.ts';
import type { Users } from './users.ts';

const WAYS: readonly (readonly [Route['name'], string])[] = [
  ['vip', 'virtual IP'],
  ['haproxy', 'HAProxy'],
];

/** A switch-over while users of both ways read and start runs; none of their requests may fail. */
export const switchOverOnHosts: Scenario<HostsStage> = {
  name: 'switch-over',
  title: 'switch-over under requests',
  isProxied: false,
  measures: [
    {
      name: 'interruption',
      title: 'switch-over: interruption by the pair',
      unit: 'ms',
      most: (stage) => stage.promisedMs('switchover'),
    },
    ...WAYS.flatMap(([route, title]): Measure<HostsStage>[] => [
      {
        name: `${route}-longest-answer`,
        title: `switch-over: ${title}, longest answer`,
        unit: 'ms',
        most: () => null,
      },
      {
        name: `${route}-failed`,
        title: `switch-over: ${title}, failed`,
        unit: 'requests',
        most: () => 0,
      },
    ]),
  ],
  play,
};

async function play(stage: HostsStage, round: number): Promise<Round> {
  const work = await startWork(stage);
  const all: { readonly route: Route; readonly job: string; readonly users: Users }[] = [];
  try {
    for (const route of stage.routes) {
      const job = `bench-${route.name}-${round}`;
      const definition: JobInput = { name: job, command: ['true'], delivery: 'at-most-once' };
      await stage.api.request({ method: 'PUT', path: `/jobs/${job}`, body: definition });
      all.push({ route, job, users: stage.startUsers(route, { job }) });
    }
    for (const { users } of all) await users.warm();
    const interruptedMs = await switchUnderLoad(stage);
    const verdicts = new Map<Route['name'], LoadVerdict>();
    const complaints: string[] = [];
    for (const { route, job, users } of all) {
      const sent = await users.finish();
      const verdict = judgeLoad(sent, await runsWhenOver(stage, job));
      verdicts.set(route.name, verdict);
      complaints.push(...verdict.complaints.map((line) => `${route.title}: ${line}`));
    }
    complaints.push(...(await work.complaints()));
    if (interruptedMs === null) complaints.push('the pair did not measure the interruption');
    const ofWays = WAYS.flatMap(([name]) => {
      const verdict = verdicts.get(name);
      return [verdict?.longestMs ?? Number.NaN, verdict?.failed ?? Number.NaN];
    });
    return { values: [interruptedMs ?? Number.NaN, ...ofWays], complaints };
  } finally {
    for (const { users } of all) users.stop();
  }
}
