import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';

/** The options that `install controller` and `install agent` share. */
export interface PlaceOptions {
  readonly user?: string;
  readonly root: string;
  readonly dryRun?: true;
  readonly uninstall?: true;
  readonly purge?: true;
}

export function addPlaceOptions(command: Command): Command {
  return command
    .option('--user <name>', 'run as this account, which exists, in place of one that is made')
    .option('--root <folder>', 'write below this folder, as if it were /', '/')
    .option('--dry-run', 'print what would be written')
    .option('--uninstall', 'end the service and remove what was written, but for configuration')
    .option('--purge', 'with --uninstall: remove configuration, data and the account as well');
}

/** Where and as whom, from what was given. Throws `UserError` for options that contradict each other. */
export function placeOf(options: PlaceOptions, account: string) {
  if (options.purge && !options.uninstall) {
    throw new UserError(
      '--purge removes configuration and data; expected together with --uninstall',
    );
  }
  const { user } = options;
  if (user !== undefined && !/^[a-z_][a-z0-9_-]{0,30}$/.test(user)) {
    throw new UserError(`--user holds "${user}"; expected the name of an account`);
  }
  return {
    where: { root: resolve(options.root), isRoot: process.getuid?.() === 0 },
    host: {
      account: user ?? account,
      makesAccount: user === undefined,
      node: process.execPath,
      program: realpathSync(process.argv[1] ?? ''),
    },
  };
}

/** For options that may be repeated. */
export function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}
