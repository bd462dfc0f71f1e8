import { ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TiedOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** As of `spawn`; add `'ipc'` for a channel, a number is a file. Default: nothing in, our own output out. */
  readonly stdio?: ('ignore' | 'inherit' | 'pipe' | 'ipc' | number)[];
  /**
   * What the kernel sends when this process ends. Default: KILL. TERM is for a child that has to end
   * others first; it must heed it once it is orphaned.
   */
  readonly deathSignal?: 'KILL' | 'TERM';
  readonly account?: Account;
}

/** As whom a program runs; for that this process must be root. A number without a name has no other groups. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string | null;
}

/**
 * Starts a program in a process group of its own, tied to this process's life by the kernel: it gets
 * `deathSignal` when this process ends, however it ends (`setpriv --pdeathsig`, util-linux). Does not cover
 * what the program itself starts; end those through the group (`killGroup`) or by their environment.
 * `UNDERSTUDY_PARENT` holds our pid, so that a child can see that its parent died before it was tied.
 * Never throws: what could not be started, for want of memory too, has no pid, and says why by the event `error`.
 */
export function spawnTied(command: readonly string[], options: TiedOptions = {}): ChildProcess {
  const { account = null, deathSignal } = options;
  const [program = '', ...rest] = tiedCommand(command, account, deathSignal);
  try {
    return spawn(program, rest, {
      detached: true,
      env: withParent(options.env ?? process.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: options.stdio ?? ['ignore', 'inherit', 'inherit'],
    });
  } catch (error) {
    return notStarted(error);
  }
}

/** As `spawn` gives one for a program that is not there; for other errors of the kernel it throws. */
function notStarted(error: unknown): ChildProcess {
  const child = Object.assign(new ChildProcess(), { exitCode: -1 });
  process.nextTick(() => {
    child.emit('error', error);
    child.emit('close', child.exitCode, null);
  });
  return child;
}

/** What is to be started so that a command is tied to this process, for who starts it in another way. */
export function tiedCommand(
  command: readonly string[],
  account: Account | null,
  deathSignal: TiedOptions['deathSignal'] = 'KILL',
): readonly string[] {
  const tie = ['--pdeathsig', deathSignal, ...accountArguments(account)];
  return [findProgram('setpriv'), ...tie, '--', ...command];
}

/** The same without the tie, where the program ends with us for another reason. */
export function untiedCommand(
  command: readonly string[],
  account: Account | null,
): readonly string[] {
  return account === null
    ? command
    : [findProgram('setpriv'), ...accountArguments(account), '--', ...command];
}

/** The environment of a child, which can see by it that its parent has died. */
export function withParent<T extends NodeJS.ProcessEnv>(env: T): T & { UNDERSTUDY_PARENT: string } {
  return { ...env, UNDERSTUDY_PARENT: String(process.pid) };
}

const foundPrograms = new Map<string, string>();

/**
 * Where a program is, by our own search path: that of a child may lead nowhere, and a user's does not lead to what
 * is for administrators. The name alone when it is nowhere.
 */
export function findProgram(name: string): string {
  const known = foundPrograms.get(name);
  if (known !== undefined) return known;
  const folders = `${process.env['PATH'] ?? ''}:/usr/bin:/bin:/usr/sbin:/sbin`.split(':');
  const found = folders.map((folder) => join(folder, name)).find(existsSync);
  if (found === undefined) return name;
  foundPrograms.set(name, found);
  return found;
}

function accountArguments(account: Account | null): string[] {
  if (account === null) return [];
  const groups = account.name === null ? '--clear-groups' : '--init-groups';
  return ['--reuid', String(account.uid), '--regid', String(account.gid), groups];
}

/** For a child started by `spawnTied`: ends this process if the parent has died already. */
export function endIfOrphaned(): void {
  if (isOrphaned()) process.exit(1);
}

/** For a child started by `spawnTied`: whether the parent has died. */
export function isOrphaned(): boolean {
  const parent = process.env['UNDERSTUDY_PARENT'];
  return parent !== undefined && process.ppid !== Number(parent);
}

/** Sends a signal to a whole process group, 0 only looks. False when there is no such group any more. */
export function killGroup(pgid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pgid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** What identifies a process: pids are used again, a pid with its start time (clock ticks) is not. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: string;
}

/** A living process and where it belongs. */
export interface ProcessFacts extends ProcessId {
  readonly group: number;
  readonly session: number;
}

/** Reads a process's identity from /proc; null when it is gone. A zombie counts as gone. */
export function processId(pid: number): ProcessId | null {
  const facts = processFacts(pid);
  return facts === null ? null : { pid, startTime: facts.startTime };
}

/** Like `processId`, with the process's group and session. */
export function processFacts(pid: number): ProcessFacts | null {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The command name is in parentheses and may contain anything: fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTime === undefined) return null;
  return { pid, startTime, group: Number(fields[2]), session: Number(fields[3]) };
}

/** Whether that very process still lives. */
export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.startTime === id.startTime;
}

/** The text of a file in /proc; null when its process is gone or not ours to read. */
export function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return null;
    throw error;
  }
}
