import { rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@understudy/shared/runtime/errors';
import { print } from '../../cli/output.ts';
import { CONFIGURATION_FOLDER, type InstallFacts, places, type Role } from './facts.ts';
import { nextSteps, warningsOf } from './next-steps.ts';
import { accountIn, type PlannedFile, planFiles } from './plan.ts';
import {
  disableService,
  isLive,
  makeAccount,
  type Owner,
  ownerOf,
  reloadUnits,
  removeAccount,
} from './system.ts';
import { makeState, removePlanned, writePlanned } from './write.ts';

export interface Where {
  /** `/`, or the folder that stands for it: an image that is built, a test. */
  readonly root: string;
  readonly isRoot: boolean;
}

/** Prints what would be written. */
export function showInstallation(facts: InstallFacts): void {
  for (const { path, mode, text, isTheirs } of planFiles(facts)) {
    const when = isTheirs ? ', unless it is there' : '';
    print(`--- ${path} (mode ${mode.toString(8)}${when})\n${text}`);
  }
}

/**
 * Writes what a host of this role needs, and says what is left to do. Can be repeated: what is the operator's is
 * kept, what is ours is brought up to date. Starts nothing.
 */
export function installHost(facts: InstallFacts, where: Where): void {
  requireRoot(`install ${facts.role}`, where);
  const { root } = where;
  const files = planFiles(facts);
  const accountFile = files.find(({ path }) => path === places[facts.role].account);
  if (accountFile !== undefined) {
    tell(accountFile, where, null);
    // Somebody else than root has no account to give to anybody.
    if (where.isRoot) makeAccount(root, join(root, accountFile.path));
  }
  const owner = where.isRoot ? ownerOf(root, facts.account) : null;
  for (const file of files) if (file !== accountFile) tell(file, where, owner);
  makeState(places[facts.role].state, { root, owner });
  if (isLive(root)) reloadUnits();
  for (const warning of warningsOf(facts)) print(`warning: ${warning}`);
  print(`\n${nextSteps(facts)}`);
}

export interface UninstallOptions extends Where {
  readonly purge: boolean;
}

/**
 * Ends the service and takes away what the installation wrote; with `purge` configuration and data, too, and the account
 * that it has made, to which these belong.
 */
export function uninstallHost(role: Role, options: UninstallOptions): void {
  requireRoot(`install ${role} --uninstall`, options);
  const { root, purge } = options;
  const { service, unit, account, configuration, environment, state } = places[role];
  const ours = [unit, `/etc/systemd/system/multi-user.target.wants/${service}`];
  const theirs = [configuration, environment, `/var/lib/${state}`, account];
  const made = accountIn(join(root, account));
  if (isLive(root)) disableService(service);
  for (const path of purge ? [...ours, ...theirs] : ours) {
    if (removePlanned(path, root)) print(`removed ${path}`);
  }
  if (isLive(root)) reloadUnits();
  if (!purge) print(`kept: ${theirs.join(', ')} (--purge removes them)`);
  else {
    removeIfEmpty(join(root, CONFIGURATION_FOLDER));
    if (made !== null && options.isRoot && removeAccount(root, made)) {
      print(`removed the account ${made}`);
    }
  }
}

function tell(file: PlannedFile, { root }: Where, owner: Owner | null): void {
  print(`${writePlanned(file, { root, owner })} ${file.path}`);
}

function requireRoot(command: string, { root, isRoot }: Where): void {
  if (isRoot || root !== '/') return;
  throw new UserError(
    `${command} writes below /etc, which only root may; run it as root, or write to another place with --root DIR`,
  );
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Others have something in it, or it is gone: both is fine.
  }
}
