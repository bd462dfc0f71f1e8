import type { AgentView, Page } from '@understudy/shared/protocol/api';
import { loadAgentConfig } from '@understudy/shared/runtime/config/load';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { apiFor, sourcesFor } from '../context.ts';
import { print, printJson, showInstant, table } from '../output.ts';

/** `agent` runs this worker host; its verbs ask the active controller about all agents. */
export function addAgentCommand(program: Command): void {
  const agent = program
    .command('agent')
    .description(
      "run this worker host in the foreground: the agent's heartbeat, which runs the worker",
    )
    .action(async (_options: unknown, command: Command) => {
      const [verb] = command.args;
      if (verb !== undefined)
        throw new UserError(`agent has no verb "${verb}"; see understudy agent --help`);
      const config = loadAgentConfig(sourcesFor(command, 'agent'));
      const { runAgent } = await import('@understudy/agent/main');
      process.exit(await runAgent(config));
    });
  agent
    .command('list')
    .description('all agents')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const agents = await listAgents(apiFor(command));
      if (options.json) printJson(agents);
      else print(agentTable(agents));
    });
  agent
    .command('show <id>')
    .description('one agent, as JSON')
    .action(async (id: string, _options: unknown, command: Command) => {
      const found = (await listAgents(apiFor(command))).find((each) => each.id === id);
      if (found === undefined) throw new UserError(`there is no agent ${id}`);
      printJson(found);
    });
  agent
    .command('drain <id>')
    .description('give this agent no more runs; what runs there goes on')
    .option('--deadline <duration>', 'end what still runs there after so long, like 10m')
    .action((id: string, options: { deadline?: string }, command: Command) =>
      change({ id, verb: 'drain', body: options }, command),
    );
  agent
    .command('resume <id>')
    .description('give this agent runs again')
    .action((id: string, _options: unknown, command: Command) =>
      change({ id, verb: 'resume' }, command),
    );
  agent
    .command('remove <id>')
    .description('forget an agent that is gone for good')
    .action(async (id: string, _options: unknown, command: Command) => {
      await apiFor(command).request({ method: 'DELETE', path: pathOf(id) });
      print(`${id} removed`);
    });
}

/** All agents that the active controller knows. */
export async function listAgents(api: ApiClient): Promise<readonly AgentView[]> {
  const page = await api.request<Page<AgentView>>({ method: 'GET', path: '/agents' });
  return page.items;
}

export function agentTable(agents: readonly AgentView[]): string {
  const rows = agents.map((agent) => [
    agent.id,
    agent.draining ? `${agent.state}, draining` : agent.state,
    `${agent.running}/${agent.slots}`,
    Object.entries(agent.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(',') || '-',
    showInstant(agent.lastSeenAt),
  ]);
  return table(['AGENT', 'STATE', 'RUNNING', 'LABELS', 'LAST SEEN'], rows);
}

async function change(
  { id, verb, body = {} }: { id: string; verb: 'drain' | 'resume'; body?: object },
  command: Command,
): Promise<void> {
  await apiFor(command).request({ method: 'POST', path: `${pathOf(id)}/${verb}`, body });
  print(verb === 'drain' ? `${id} is draining` : `${id} takes runs again`);
}

function pathOf(id: string): string {
  return `/agents/${encodeURIComponent(id)}`;
}
