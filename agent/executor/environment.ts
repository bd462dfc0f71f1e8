import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import type { AttemptKey } from '../attempt/attempt.ts';

/** What the environment of an attempt is made from, beside the agent's own. */
export interface AttemptEnvironment extends AttemptKey {
  readonly job: string;
  readonly term: Term;
  readonly scheduledFor: string | null;
  /** The order's: the job's environment and the run's parameters. */
  readonly env: Readonly<Record<string, string>>;
  /** `<pair>/<agent>/<incarnation>` */
  readonly owner: string;
  readonly data: string;
}

/** What an attempt inherits from the agent: no more than where it is, so that no secret leaks into it. */
const inherited = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR)$/;

/** The environment of an attempt. The names that start with UNDERSTUDY_ are ours, whatever the order says. */
export function environmentOf(
  of: AttemptEnvironment,
  ours: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const base = Object.entries(ours).filter(
    (entry): entry is [string, string] => inherited.test(entry[0]) && entry[1] !== undefined,
  );
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.fromEntries(base),
    ...of.env,
    UNDERSTUDY_RUN: of.run,
    UNDERSTUDY_JOB: of.job,
    UNDERSTUDY_ATTEMPT: String(of.attempt),
    UNDERSTUDY_TERM: formatTerm(of.term),
    UNDERSTUDY_SCHEDULED_FOR: of.scheduledFor ?? '',
    UNDERSTUDY_AGENT_OWNER: of.owner,
    UNDERSTUDY_AGENT_DATA: of.data,
  };
}
