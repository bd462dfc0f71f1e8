import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A user of this host as whom a program may run. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Null: a number without an entry. */
  readonly name: string | null;
  readonly home: string;
  readonly shell: string;
}

export type AccountFound =
  /** Whoever the agent is: nothing is to be changed. */
  | { readonly type: 'own' }
  | { readonly type: 'other'; readonly account: Account }
  | { readonly type: 'refused'; readonly reason: string };

export interface AccountRules {
  /** Names and numbers of users as whom this agent may run programs. */
  readonly users: readonly string[];
  /** Who the agent is. */
  readonly uid: number;
}

/** Looks up a user by name or number, and whether the agent may run something as that one. */
export async function accountFor(user: string, rules: AccountRules): Promise<AccountFound> {
  const line = lineOf(user, passwdFile()) ?? lineOf(user, await fromNameService(user));
  const account = line === null ? unnamed(user) : accountOf(line);
  if (account === null) return refused(`there is no user ${user} on this host`);
  if (account.uid === rules.uid) return { type: 'own' };
  if (rules.uid !== 0) return refused(`user ${user}: the agent runs as ${rules.uid}, not as root`);
  const isAllowed = rules.users.some((each) => each === account.name || each === `${account.uid}`);
  if (isAllowed) return { type: 'other', account };
  return refused(`user ${user} is not allowed here: it is not among the agent's users`);
}

/** The line of a user in a text of the form of /etc/passwd. */
export function lineOf(user: string, text: string): string | null {
  const field = isNumber(user) ? 2 : 0;
  return text.split('\n').find((line) => line.split(':')[field] === user) ?? null;
}

/** What a line of /etc/passwd says; null when it says nothing of use. */
export function accountOf(line: string): Account | null {
  const [name = '', , uid = '', gid = '', , home = '', shell = ''] = line.split(':');
  if (name === '' || !isNumber(uid) || !isNumber(gid)) return null;
  const places = { home: home || '/', shell: shell || '/bin/sh' };
  return { uid: Number(uid), gid: Number(gid), name, ...places };
}

function unnamed(user: string): Account | null {
  if (!isNumber(user)) return null;
  const id = Number(user);
  return { uid: id, gid: id, name: null, home: '/', shell: '/bin/sh' };
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1;
}

function passwdFile(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

/** Users that are kept elsewhere, for instance in a directory service. */
function fromNameService(user: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('getent', ['passwd', user], { timeout: 5_000 }, (_error, found) => resolve(found));
  });
}

function refused(reason: string): AccountFound {
  return { type: 'refused', reason };
}
