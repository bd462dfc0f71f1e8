import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../support/cluster.ts';
import { parseStartLines, type StartLine } from '../support/invariants/work.ts';

/** Runs of these jobs write a start line and then work for as long as the run says. */
export type TestJob = 'once' | 'again';

/** Makes a job of each kind of delivery. */
export async function putTestJobs(cluster: Cluster): Promise<void> {
  const env = { STARTS: startsFile(cluster) };
  for (const [name, delivery] of [
    ['once', 'at-most-once'],
    ['again', 'at-least-once'],
  ] as const) {
    const script =
      'echo "$UNDERSTUDY_RUN $UNDERSTUDY_ATTEMPT $$" >> "$STARTS"; exec sleep "$LASTS"';
    const command = ['sh', '-c', script];
    const retries = { limit: 5, delayMs: 100 };
    await cluster.client.putJob({ name, command, delivery, retries, env });
  }
}

/** What the runs of these jobs have written so far. */
export function startLines(cluster: Cluster): StartLine[] {
  const file = startsFile(cluster);
  return parseStartLines(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

function startsFile(cluster: Cluster): string {
  return join(cluster.facts.folder, 'starts');
}
