import { setTimeout as delay } from 'node:timers/promises';
import { askHeartbeat } from '../cli/client/heartbeat-status.ts';
import { showTerm } from '../cli/output.ts';
import type { ProcessEnd } from './kept-process.ts';
import type { LocalSystem } from './system.ts';
import type { Answerer, Move } from './watch.ts';

/** A heartbeat that was killed with its controller answers again only after its restart. */
const REASON_WITHIN_MS = 1_000;

/** One line about a change of the role: `a -> b, term 7, interrupted 38 ms, because ...`. */
export async function tellMove(
  { from, to, interruptedMs }: Move,
  system: LocalSystem,
  ends: readonly ProcessEnd[],
): Promise<string> {
  const who =
    from === null || from.node === to.node ? `${to.node} again` : `${from.node} -> ${to.node}`;
  const reason = from === null ? 'it began' : await reasonOf(from, system, ends);
  return `${who}, term ${showTerm(to.term)}, interrupted ${interruptedMs} ms, because ${reason}`;
}

async function reasonOf(
  from: Answerer,
  system: LocalSystem,
  ends: readonly ProcessEnd[],
): Promise<string> {
  const host = system.hosts.find((each) => each.node === from.node);
  if (host === undefined) return `${from.node} is no longer active`;
  const deadline = performance.now() + REASON_WITHIN_MS;
  do {
    const answer = await askHeartbeat(host.heartbeatUrl, 500);
    const demotion = answer.kind === 'answered' ? answer.status.lastDemotion : null;
    if (demotion?.term === from.term) {
      return `${demotion.reason.replaceAll('-', ' ')} on ${from.node}: ${demotion.detail}`;
    }
    await delay(50);
  } while (performance.now() < deadline);
  const end = ends.findLast((each) => each.name === host.process.name);
  if (end !== undefined) return `the ${end.name} ended (${end.how})`;
  return `${from.node} gave no reason`;
}
