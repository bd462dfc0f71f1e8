import type { AgentView } from '@understudy/shared/protocol/api';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { makeApiClient } from '../client/api-client.ts';
import {
  askHeartbeat,
  type HeartbeatStatus,
  type StatusAnswer,
} from '../client/heartbeat-status.ts';
import { pairConfigFor } from '../context.ts';
import { promiseRows, promiseTable } from '../explain/promise-table.ts';
import { warningsOf } from '../explain/warnings.ts';
import { print, printJson, showTerm, table } from '../output.ts';
import { judgePair } from '../pair-verdict.ts';
import { agentTable, listAgents } from './agent.ts';

const ASK_TIMEOUT_MS = 2_000;

/** `status`: the pair as seen from all its heartbeats. */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description(
      'the pair as its heartbeats see it; exit 0: one active and a ready passive, 1: no ready passive, 2: no active, 3: more than one',
    )
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const { heartbeat, token } = pairConfigFor(command);
      const urls = [heartbeat.url, ...heartbeat.peers];
      const answers = await Promise.all(urls.map((url) => askHeartbeat(url, ASK_TIMEOUT_MS)));
      const verdict = judgePair(answers);
      const agents = await agentsOf(answers, token);
      process.exitCode = verdict.exitCode;
      const statuses = answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
      const promise = promiseRows(statuses);
      if (options.json) return printJson({ ...verdict, heartbeats: answers, agents, promise });
      print(nodeTable(answers));
      print(`\n${typeof agents === 'string' ? agents : agentTable(agents)}`);
      if (promise.length > 0) print(`\n${promiseTable(promise)}`);
      for (const each of warningsOf(statuses)) print(`\n${each}`);
      for (const each of verdict.disagreements) print(`\ndisagreement: ${each}`);
      print(`\n${verdict.summary}`);
    });
}

async function agentsOf(
  answers: readonly StatusAnswer[],
  token: string,
): Promise<readonly AgentView[] | string> {
  const controllers = answers.flatMap((each) =>
    each.kind === 'answered' && each.status.active?.url ? [each.status.active.url] : [],
  );
  if (controllers.length === 0) return 'agents: not known without an active';
  try {
    return await listAgents(
      makeApiClient({ controllers, heartbeats: [], token, timeoutMs: ASK_TIMEOUT_MS }),
    );
  } catch (error) {
    return `agents: ${messageOf(error)}`;
  }
}

function nodeTable(answers: readonly StatusAnswer[]): string {
  const hasVip = answers.some((each) => each.kind === 'answered' && each.status.vip);
  const rows = answers.map((each) => {
    if (each.kind === 'silent') {
      const last = `${each.url}: ${each.why}`;
      return ['?', 'silent', '-', '-', '-', '-', ...(hasVip ? ['-'] : []), last];
    }
    const { status } = each;
    const { state = '-', pid } = status.controller ?? {};
    const notes = [
      ...(status.failsafe ? ['FAILSAFE'] : []),
      ...(status.paused ? ['paused'] : []),
      ...status.notReady,
      ...(status.vip?.problem ? [status.vip.problem] : []),
    ];
    return [
      status.node,
      status.role,
      status.phase,
      showTerm(status.term),
      typeof status.leaseRemainingMs === 'number'
        ? `${Math.round(status.leaseRemainingMs)} ms`
        : '-',
      pid === null || pid === undefined ? state : `${state}, pid ${pid}`,
      ...(hasVip ? [heldAddresses(status)] : []),
      [readiness(status), ...notes].join('; '),
    ];
  });
  const vip = hasVip ? ['VIRTUAL IP'] : [];
  return table(
    ['NODE', 'ROLE', 'PHASE', 'TERM', 'LEASE LEFT', 'CONTROLLER', ...vip, 'READY'],
    rows,
  );
}

/** The virtual addresses that a host has. */
function heldAddresses({ vip }: HeartbeatStatus): string {
  const held = (vip?.addresses ?? []).filter((each) => each.held);
  return held.map(({ address }) => address).join(', ') || '-';
}

/** An active node takes nothing over, so it is neither ready nor not ready. */
function readiness({ role, ready }: HeartbeatStatus): string {
  if (role === 'active') return '-';
  return ready ? 'ready' : 'not ready';
}
