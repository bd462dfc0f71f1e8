import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { version } from '@understudy/shared/runtime/version';
import { Command, CommanderError } from 'commander';
import { addAddressCommand } from './commands/address.ts';
import { addAgentCommand } from './commands/agent.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addCertCommand } from './commands/cert.ts';
import { addConfigCommand } from './commands/config.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDrillCommand } from './commands/drill.ts';
import { addEventsCommand } from './commands/events.ts';
import { addHookCommand } from './commands/hook.ts';
import { addHostCommands } from './commands/host.ts';
import { addInstallCommand } from './commands/install/install.ts';
import { addJobCommand } from './commands/job.ts';
import { addLocalCommand } from './commands/local.ts';
import { addOperatorCommands } from './commands/operator.ts';
import { addRunCommand } from './commands/run.ts';
import { addSecretCommand } from './commands/secret.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTokenCommand } from './commands/token.ts';
import { addWhyCommand } from './commands/why.ts';
import { DEFAULT_TIMEOUT } from './context.ts';

/**
 * The command `understudy`. Light commands load nothing that they do not need: each command imports
 * its work when it runs. Sets `process.exitCode`; never throws.
 */
export async function main(argv: readonly string[]): Promise<void> {
  // Whoever reads our output may stop early, as `head` does: that is no error, and there is nothing left to say.
  process.stdout.on('error', () => process.exit());
  try {
    await buildProgram().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** The program with all commands, for `main` and for tests of the help texts. */
export function buildProgram(): Command {
  const program = new Command('understudy')
    .description('An active-passive pair of controllers with agents, fenced in PostgreSQL.')
    .version(version)
    .option(
      '--config <file>',
      'configuration file (default: UNDERSTUDY_CONFIG, /etc/understudy/understudy.yaml or agent.yaml, .understudy here or above)',
    )
    .option(
      '--set <key=value>',
      'a value on top of file and environment; may be repeated',
      collect,
      [],
    )
    .option('--timeout <duration>', 'how long to look for the active controller', DEFAULT_TIMEOUT)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  for (const add of [
    addHostCommands,
    addAgentCommand,
    addStatusCommand,
    addOperatorCommands,
    addEventsCommand,
    addWhyCommand,
    addDrillCommand,
    addJobCommand,
    addRunCommand,
    addTokenCommand,
    addSecretCommand,
    addAuditCommand,
    addHookCommand,
    addAddressCommand,
    addConfigCommand,
    addInstallCommand,
    addDoctorCommand,
    addCertCommand,
    addLocalCommand,
  ]) {
    add(program);
  }
  return program;
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}

function report(error: unknown): number {
  // Commander has printed its own message already.
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof UserError) {
    process.stderr.write(`understudy: ${error.message}\n`);
    return error.exitCode;
  }
  const stack = error instanceof Error ? error.stack : undefined;
  process.stderr.write(`understudy: ${stack ?? messageOf(error)}\n`);
  return 1;
}
