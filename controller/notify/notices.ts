import type { HookEvent, Notice } from '@understudy/shared/protocol/hooks';
import type { NewEvent } from '../store/records.ts';

/** What of an event a hook could be told. */
export interface Told {
  readonly event: HookEvent;
  /** The job of the run that it is about; null: it is not about a run. */
  readonly job: string | null;
}

export interface NoticeOptions {
  readonly id: string;
  readonly pair: string;
  readonly term: string;
}

/** What is said of an event is small, however much a reason holds. */
const MOST_SAID = 1_000;

/** Null: no hook is told of such an event. */
export function toldOf(event: NewEvent): Told | null {
  const { kind, facts } = event;
  const job = typeof facts['job'] === 'string' ? facts['job'] : null;
  switch (kind) {
    case 'run-ended':
      if (facts['state'] === 'failed') return { event: 'run.failed', job };
      return facts['state'] === 'timed-out' ? { event: 'run.timed-out', job } : null;
    case 'run-lost':
      return { event: 'run.lost', job };
    case 'run-late':
      return { event: 'run.late', job };
    case 'agent-lost':
      return { event: 'agent.lost', job: null };
    case 'tenure-begun':
      return facts['failover'] === true ? { event: 'pair.failover', job: null } : null;
    default:
      return null;
  }
}

/** What is sent. */
export function noticeOf(event: NewEvent, told: Told, { id, pair, term }: NoticeOptions): Notice {
  const { at, subject, message, facts } = event;
  const said = message.length <= MOST_SAID ? message : `${message.slice(0, MOST_SAID)}...`;
  const when = new Date(at).toISOString();
  return { id, event: told.event, pair, at: when, term, subject, message: said, facts };
}
