import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type ProcessId, processId } from '@understudy/shared/runtime/child';
import { parseDatabaseUrl } from '@understudy/shared/runtime/database-url';
import { UserError } from '@understudy/shared/runtime/errors';
import { childrenOf, commandOf, signal } from './victims.ts';

/** PostgreSQL of a one-machine system, which a drill may stop for some seconds. */
export interface LocalPostgres {
  readonly postmaster: ProcessId;
  /** Stops every process of it, so that connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
}

/**
 * Finds the PostgreSQL that belongs to this configuration file as `npm start` lays it out: its data beside
 * the file, its port in the database's URL. Throws `UserError` where it is any other database: stopping it
 * would hit others.
 */
export function findLocalPostgres(configFile: string | null, database: string): LocalPostgres {
  const refuse = (why: string) =>
    new UserError(
      `the drill "database" stops PostgreSQL for some seconds, which is done only on the one-machine ` +
        `system of \`npm start\`: ${why}`,
    );
  if (configFile === null) throw refuse('there is no configuration file');
  const folder = join(dirname(resolve(configFile)), 'postgres');
  const lock = readLock(join(folder, 'cluster', 'postmaster.pid'));
  if (lock === null) throw refuse(`${folder} is not the data of a PostgreSQL that runs`);
  const { servers } = parseDatabaseUrl(database);
  const isThisOne = servers.every(
    ({ host, port }) => ['127.0.0.1', 'localhost'].includes(host) && port === lock.port,
  );
  const postmaster = processId(lock.pid);
  const isPostgres = commandOf(lock.pid).some((word) => word.endsWith('postgres'));
  if (!isThisOne || postmaster === null || !isPostgres) {
    throw refuse(`the database of this pair is not the one in ${folder}`);
  }
  let frozen: ProcessId[] = [];
  return {
    postmaster,
    freeze: () => {
      // The postmaster first: from then on no further process can appear.
      signal(postmaster, 'SIGSTOP');
      const children = childrenOf(postmaster.pid).flatMap((pid) => processId(pid) ?? []);
      frozen = [postmaster, ...children];
      for (const each of children) signal(each, 'SIGSTOP');
    },
    thaw: () => {
      for (const each of frozen.toReversed()) signal(each, 'SIGCONT');
      frozen = [];
    },
  };
}

function readLock(path: string): { readonly pid: number; readonly port: number } | null {
  const lines = readLines(path);
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  return pid > 0 && port > 0 ? { pid, port } : null;
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    // Not there, or not ours to read: then it is not the database of our own system.
    return [];
  }
}
