import { setTimeout as pause } from 'node:timers/promises';
import type { CommandResult } from '../support/cluster/program.ts';
import type { Cluster } from '../support/cluster.ts';

const ASK_EVERY_MS = 15;

/**
 * Asks for a switch-over while users read and write under this URL. Gives what the command said, and the status of
 * each answer; null for a request without one.
 */
export async function askDuringSwitchOver(
  cluster: Cluster,
  url: string,
): Promise<CommandResult & { readonly statuses: readonly (number | null)[] }> {
  const asked: Promise<number | null>[] = [];
  let isOver = false;
  const load = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const write = { body: { parameters: { LASTS: '0.1' } } };
      const answer =
        n % 3 === 0
          ? cluster.client.ask(url, 'POST', '/api/v1/jobs/again/runs', write)
          : cluster.client.ask(url, 'GET', '/api/v1/pair');
      asked.push(answer.then((each) => each?.status ?? null));
      await pause(ASK_EVERY_MS);
    }
  })();
  const result = await cluster.command(['switchover', '--json']);
  isOver = true;
  await load;
  return { ...result, statuses: await Promise.all(asked) };
}
