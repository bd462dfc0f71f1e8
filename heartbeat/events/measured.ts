import type { MeasuredView, PairEvent } from '@understudy/shared/protocol/events';
import { mergeEvents } from '@understudy/shared/protocol/events';

/** What the events of new services say was measured, by kind of failure: the last one, the worst, how many. */
export function summarizeMeasured(served: readonly PairEvent[]): readonly MeasuredView[] {
  const found = new Map<string, MeasuredView>();
  for (const event of mergeEvents(served)) {
    const { failure, interruptedMs, from = null, measured } = event.facts;
    if (typeof failure !== 'string' || typeof interruptedMs !== 'number') continue;
    const before = found.get(failure);
    found.set(failure, {
      failure,
      count: (before?.count ?? 0) + 1,
      worstMs: Math.max(before?.worstMs ?? 0, interruptedMs),
      last: {
        interruptedMs,
        at: event.at,
        term: event.term,
        from: typeof from === 'string' ? from : null,
        to: event.node,
        measured: String(measured),
        event: event.id,
      },
    });
  }
  return [...found.values()];
}
