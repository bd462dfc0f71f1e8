import type { PairEvent } from '@understudy/shared/protocol/events';
import { showTerm } from '../output.ts';

/** One event as one line: `2026-01-31 12:00:00.123  a  term 7  goes passive: ... [id]`. */
export function describeEvent(event: PairEvent): string {
  return [
    showPreciseInstant(event.at),
    event.node,
    event.term === null ? '-' : `term ${showTerm(event.term)}`,
    `${summaryOf(event)}  [${event.id}]`,
  ].join('  ');
}

/** What happened and what was seen, without when and where. */
export function summaryOf({ message, evidence, facts }: PairEvent): string {
  const seen = evidence === null ? message : `${message}: ${evidence}`;
  const { interruptedMs } = facts;
  return typeof interruptedMs === 'number' ? `${seen}; interrupted ${interruptedMs} ms` : seen;
}

/** An instant to the millisecond, UTC. */
export function showPreciseInstant(iso: string): string {
  return iso.replace('T', ' ').replace(/Z$/, '');
}
