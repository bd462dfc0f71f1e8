import type { MeasuredView } from '@understudy/shared/protocol/events';
import type { HeartbeatStatus } from '../client/heartbeat-status.ts';
import { showInstant, table } from '../output.ts';
import { failureName } from './failure-names.ts';

export interface PromiseRow {
  readonly failure: string;
  /** The worst case by the settings; null when no heartbeat knows it. */
  readonly promisedMs: number | null;
  /** What was measured; null when it never happened. */
  readonly measured: MeasuredView | null;
}

/**
 * What is promised beside what was measured. Where heartbeats differ, the larger promise counts, and the
 * measurements of the one that knows of more.
 */
export function promiseRows(statuses: readonly HeartbeatStatus[]): readonly PromiseRow[] {
  const promises = statuses.flatMap((status) => status.promise);
  const measured = statuses.flatMap((status) => status.measured);
  const kinds = new Set([...promises, ...measured].map((each) => each.failure));
  return [...kinds].map((failure) => {
    const promised = promises.filter((each) => each.failure === failure);
    const known = measured.filter((each) => each.failure === failure);
    return {
      failure,
      promisedMs: promised.length === 0 ? null : Math.max(...promised.map((each) => each.worstMs)),
      measured: known.toSorted((a, b) => b.count - a.count)[0] ?? null,
    };
  });
}

/** The rows for people. */
export function promiseTable(rows: readonly PromiseRow[]): string {
  return table(
    ['INTERRUPTION BY', 'PROMISED', 'LAST', 'WORST', 'TIMES', 'LAST TIME'],
    rows.map(({ failure, promisedMs, measured }) => [
      failureName(failure),
      promisedMs === null ? '-' : `${promisedMs} ms`,
      measured === null ? '-' : `${measured.last.interruptedMs} ms`,
      measured === null ? '-' : `${measured.worstMs} ms${broken(measured.worstMs, promisedMs)}`,
      `${measured?.count ?? 0}`,
      measured === null ? '-' : lastTime(measured),
    ]),
  );
}

function broken(worstMs: number, promisedMs: number | null): string {
  return promisedMs !== null && worstMs > promisedMs ? ' (BROKEN)' : '';
}

function lastTime({ last }: MeasuredView): string {
  return `${showInstant(last.at)} ${last.from ?? '?'} -> ${last.to}`;
}
