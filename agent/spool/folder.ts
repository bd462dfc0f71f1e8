import { accessSync, constants, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';

/** What lies where in the data folder of an agent. */
export interface DataFolder {
  readonly path: string;
  readonly lock: string;
  readonly term: string;
  readonly journal: string;
  readonly journalId: string;
  readonly logs: string;
}

/** Makes the data folder ready; a UserError when it can't be used. */
export function openDataFolder(path: string): DataFolder {
  try {
    mkdirSync(join(path, 'logs'), { recursive: true });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    accessSync(join(path, 'logs'), constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UserError(
      `data: ${path} can't be used as the agent's data folder (${messageOf(error)}); expected a folder that the agent may create and write to`,
      exitCodes.badConfig,
    );
  }
  const real = realpathSync(path);
  return {
    path: real,
    lock: join(real, 'lock'),
    term: join(real, 'term'),
    journal: join(real, 'journal'),
    journalId: join(real, 'journal-id'),
    logs: join(real, 'logs'),
  };
}
