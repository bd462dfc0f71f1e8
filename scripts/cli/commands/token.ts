import { parseDurationMs } from '@understudy/shared/kernel/duration';
import type { Page } from '@understudy/shared/protocol/api';
import { type MadeToken, roles, type TokenView } from '@understudy/shared/protocol/rights';
import { UserError } from '@understudy/shared/runtime/errors';
import { type Command, Option } from 'commander';
import { apiFor } from '../context.ts';
import { print, printJson, showInstant, table } from '../output.ts';

interface CreateOptions {
  readonly role: string;
  readonly agent?: string;
  readonly expiresIn?: string;
  readonly json?: true;
}

/** `token`: who else may use the API, and as what. */
export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('tokens with roles: create, list, revoke');
  token
    .command('create <name>')
    .description('make a token and print its value, which is shown this once')
    .addOption(
      new Option('--role <role>', 'what it may do').choices([...roles]).makeOptionMandatory(),
    )
    .option('--agent <id>', 'with --role agent: good for this agent and no other')
    .option('--expires-in <duration>', 'it ends by itself (default: never)')
    .option('--json', 'as JSON')
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { role, agent = null, expiresIn = null, json } = options;
      if (expiresIn !== null && parseDurationMs(expiresIn) === null) {
        throw new UserError(
          `--expires-in holds "${expiresIn}"; expected a duration like 12h, 30d or 365d`,
        );
      }
      if (agent !== null && role !== 'agent') {
        throw new UserError(`--agent goes with --role agent; --role holds "${role}"`);
      }
      // Left out where nothing is said: a controller of an earlier version knows no such field.
      const body = { name, role, expiresIn, ...(agent === null ? {} : { agent }) };
      const made = await apiFor(command).request<MadeToken>({
        ...{ method: 'POST', path: '/tokens', body },
      });
      if (json) printJson(made);
      else print(made.token);
    });
  token
    .command('list')
    .description('all tokens, without their values')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const { items } = await apiFor(command).request<Page<TokenView>>({
        ...{ method: 'GET', path: '/tokens' },
      });
      if (options.json) printJson(items);
      else print(tokenTable(items));
    });
  token
    .command('revoke <name>')
    .description('refuse this token from now on, and close what it had opened')
    .action(async (name: string, _options: unknown, command: Command) => {
      const path = `/tokens/${encodeURIComponent(name)}`;
      await apiFor(command).request({ method: 'DELETE', path });
      print(`${name} is revoked`);
    });
}

function tokenTable(tokens: readonly TokenView[]): string {
  const rows = tokens.map(({ name, role, agent, createdAt, createdBy, expiresAt }) => [
    ...[name, role, agentOf({ role, agent }), showInstant(createdAt), createdBy],
    expiresAt === null ? 'never' : showInstant(expiresAt),
  ]);
  return table(['TOKEN', 'ROLE', 'AGENT', 'CREATED', 'BY', 'EXPIRES'], rows);
}

function agentOf({ role, agent }: Pick<TokenView, 'role' | 'agent'>): string {
  return role === 'agent' ? (agent ?? 'any') : '-';
}
