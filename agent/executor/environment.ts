import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import type { AttemptKey } from '../attempt/attempt.ts';
import type { Account } from './account.ts';

/** What the environment of an attempt is made from, beside the agent's own. */
export interface AttemptEnvironment extends AttemptKey {
  readonly job: string;
  readonly term: Term;
  readonly scheduledFor: string | null;
  /** The order's: the job's environment and the run's parameters. */
  readonly env: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** `<pair>/<agent>/<incarnation>` */
  readonly owner: string;
  readonly data: string;
  /** As whom it runs; null: as the agent. */
  readonly account: Account | null;
}

/** What an attempt inherits from the agent: no more than where it is, so that no secret leaks into it. */
const inherited = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR)$/;

/** The environment of an attempt. The names that start with UNDERSTUDY_ are ours, whatever the order says. */
export function environmentOf(
  of: AttemptEnvironment,
  ours: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return {
    ...inheritedFrom(ours),
    ...(of.account === null ? {} : personOf(of.account)),
    ...of.env,
    ...of.secrets,
    UNDERSTUDY_RUN: of.run,
    UNDERSTUDY_JOB: of.job,
    UNDERSTUDY_ATTEMPT: String(of.attempt),
    UNDERSTUDY_TERM: formatTerm(of.term),
    UNDERSTUDY_SCHEDULED_FOR: of.scheduledFor ?? '',
    ...marksOf(of),
  };
}

/** The environment of a module host, which belongs to no attempt. */
export function hostEnvironment(
  of: Pick<AttemptEnvironment, 'owner' | 'data'>,
  ours: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return { ...inheritedFrom(ours), ...marksOf(of) };
}

/** Our own environment stays as it is, and to look through it takes a while. */
const found = new WeakMap<object, Record<string, string>>();

function inheritedFrom(ours: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const known = found.get(ours) ?? selectFrom(ours);
  found.set(ours, known);
  return known;
}

function selectFrom(ours: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const base = Object.entries(ours).filter(
    (entry): entry is [string, string] => inherited.test(entry[0]) && entry[1] !== undefined,
  );
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.fromEntries(base),
  };
}

/** What a login would set. */
function personOf({ uid, name, home, shell }: Account): Record<string, string> {
  const user = name ?? String(uid);
  return { HOME: home, USER: user, LOGNAME: user, SHELL: shell };
}

function marksOf({ owner, data }: Pick<AttemptEnvironment, 'owner' | 'data'>): {
  UNDERSTUDY_AGENT_OWNER: string;
  UNDERSTUDY_AGENT_DATA: string;
} {
  return { UNDERSTUDY_AGENT_OWNER: owner, UNDERSTUDY_AGENT_DATA: data };
}
