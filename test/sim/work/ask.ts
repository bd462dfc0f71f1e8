import type { Answer } from '@understudy/agent/follow/choose';
import type { Term } from '@understudy/shared/kernel/term';
import type { SimAgent } from './agent.ts';

/** When one controller is ready, the others get so long to say that they are, too. */
const OTHERS_MS = 100;
const TIMEOUT_MS = 500;
const INSIST_EVERY_MS = 25;

/** Asks every controller once whether it may serve; beyond a term, again until one serves a higher one. */
export function askControllers(
  agent: SimAgent,
  beyond: Term | null,
  done: (answers: readonly Answer[]) => void,
): void {
  const untilMs = agent.nowMs() + TIMEOUT_MS;
  const round = () => {
    askOnce(agent, untilMs, (answers) => {
      const isBeyond = answers.some(
        (answer) => answer.type === 'ready' && (beyond === null || answer.target.term > beyond),
      );
      if (beyond === null || isBeyond || agent.nowMs() + INSIST_EVERY_MS >= untilMs) done(answers);
      else agent.later(INSIST_EVERY_MS, round);
    });
  };
  round();
}

function askOnce(
  agent: SimAgent,
  untilMs: number,
  done: (answers: readonly Answer[]) => void,
): void {
  const { network, nodes } = agent.world;
  const answers: Answer[] = nodes.map((_, index) => {
    return { type: 'silent', url: String(index), reason: 'no answer' };
  });
  const { process } = agent;
  let left = nodes.length;
  let isOver = false;
  const finish = () => {
    if (isOver) return;
    isOver = true;
    done(answers);
  };
  const take = (index: number, answer: Answer) => {
    if (isOver) return;
    answers[index] = answer;
    left -= 1;
    if (left === 0) finish();
    else if (answer.type === 'ready') agent.later(OTHERS_MS, finish);
  };
  for (const [index, node] of nodes.entries()) {
    const url = String(index);
    network.send(agent.place, node.place, () => {
      node.atPort((controller) => {
        const term = controller?.mayAct() === true ? controller.term : null;
        const answer: Answer =
          term === null
            ? { type: 'not-ready', url, reason: 'not active' }
            : { type: 'ready', target: { url, node: node.name, term } };
        network.send(node.place, agent.place, () => process?.take(() => take(index, answer)));
      });
    });
  }
  process?.timer(untilMs, finish);
}
