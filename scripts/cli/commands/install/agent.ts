import { urlKind } from '@understudy/shared/runtime/config/kinds';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { named, shortName } from './controller.ts';
import { addPlaceOptions, collect, type PlaceOptions, placeOf } from './place.ts';

interface AgentOptions extends PlaceOptions {
  readonly pair: string;
  readonly agent: string;
  readonly controller: readonly string[];
}

/** `install agent`: this host as one that works for a pair. */
export function addInstallAgentCommand(install: Command): void {
  const command = install
    .command('agent')
    .description('a service of systemd, an account and a first configuration for a worker host')
    .option('--pair <name>', 'the name of the pair', 'main')
    .option('--agent <id>', 'the id of this host', shortName())
    .option(
      '--controller <url>',
      'a controller, like http://10.0.0.11:7300; may be repeated',
      collect,
      [],
    );
  addPlaceOptions(command).action(async (options: AgentOptions) => {
    const { where, host } = placeOf(options, 'understudy-agent');
    const work = await import('../../../install/host/install.ts');
    if (options.uninstall) {
      return work.uninstallHost('agent', { ...where, purge: options.purge === true });
    }
    const facts = {
      ...{ ...host, role: 'agent' as const, pair: named('--pair', options.pair) },
      agentId: named('--agent', options.agent),
      controllers: options.controller.map(controllerUrl),
    };
    if (options.dryRun) work.showInstallation(facts);
    else work.installHost(facts, where);
  });
}

function controllerUrl(value: string): string {
  if (urlKind.schema.safeParse(value).success) return value;
  throw new UserError(`--controller holds "${value}"; expected ${urlKind.expected}`);
}
