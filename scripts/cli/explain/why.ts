import type { PairEvent } from '@understudy/shared/protocol/events';
import { showTerm } from '../output.ts';
import { describeEvent, showPreciseInstant, summaryOf } from './describe-event.ts';
import { failureName, measureName } from './failure-names.ts';

/** A new service, a demotion: what changes who serves. */
const ROLE_CHANGES = ['served', 'demoting', 'handed-over'];
/** What a new service rests on. */
const GROUNDS = ['claiming', 'taken-over'];
/** What belongs to a change lies around it within this time. */
const BEFORE_MS = 15_000;
const AFTER_MS = 2_000;

/** The event that `why` is about: the one that is named, or the last change of role. */
export function findSubject(events: readonly PairEvent[], id: string | null): PairEvent | null {
  if (id !== null) return events.find((event) => event.id === id) ?? null;
  return events.findLast((event) => ROLE_CHANGES.includes(event.kind)) ?? null;
}

/** Explains an event by the ones around it. `events` is the history, oldest first. */
export function explain(subject: PairEvent, events: readonly PairEvent[]): string {
  const around = events.filter((event) => isNear(event, subject));
  const claim = claimOf(subject, around);
  return [
    headline(subject),
    section('What happened', story(subject, around).map(describeEvent)),
    section('From which evidence', [evidenceOf(subject, claim)]),
    section('By which rule', [claim?.rule ?? subject.rule ?? 'no rule: this only happened']),
    section('Under which term', [termOf(subject)]),
    section(
      'What the other side saw at that time (by its own clock)',
      around.filter((event) => event.node !== subject.node).map(describeEvent),
    ),
    section('How long users were interrupted', interruptionOf(serviceAfter(subject, events))),
  ]
    .filter((text) => text !== '')
    .join('\n\n');
}

function headline(subject: PairEvent): string {
  return `${showPreciseInstant(subject.at)} UTC, ${subject.node}: ${summaryOf(subject)}  [${subject.id}]`;
}

/** What the same node did on the way to it and right after. */
function story(subject: PairEvent, around: readonly PairEvent[]): readonly PairEvent[] {
  return around.filter((event) => event.node === subject.node);
}

/** The claim that a new service rests on: the last one of that node before it. */
function claimOf(subject: PairEvent, around: readonly PairEvent[]): PairEvent | null {
  if (subject.kind !== 'served') return null;
  const before = around.filter((event) => event.node === subject.node && event.seq < subject.seq);
  const claim = before.findLast((event) => GROUNDS.includes(event.kind));
  return claim ?? null;
}

function evidenceOf(subject: PairEvent, claim: PairEvent | null): string {
  if (subject.facts['basis'] === 'handed-over') {
    return `${subject.facts['from'] ?? 'the old active'} handed its lease over, as it was asked to`;
  }
  return claim?.evidence ?? subject.evidence ?? 'none was needed';
}

function termOf({ term, kind, facts, node }: PairEvent): string {
  if (term === null) return 'none: it is about no term';
  const shown = showTerm(term);
  const from = typeof facts['from'] === 'string' ? ` (${facts['from']})` : '';
  return kind === 'served'
    ? `${shown}, granted to ${node}; nothing of an earlier one${from} can be committed any more`
    : shown;
}

/** The new service that a change led to: itself, or the first one that names this node as the one before. */
function serviceAfter(subject: PairEvent, events: readonly PairEvent[]): PairEvent | null {
  if (subject.kind === 'served') return subject;
  if (!ROLE_CHANGES.includes(subject.kind)) return null;
  const later = events.slice(events.indexOf(subject) + 1);
  const served = later.find((event) => event.kind === 'served');
  return served?.facts['from'] === subject.node ? served : null;
}

function interruptionOf(served: PairEvent | null): string[] {
  if (served === null) return [];
  const { facts } = served;
  const { interruptedMs, measured, failure, promisedMs } = facts;
  if (typeof interruptedMs !== 'number') return ['not known: nobody was seen to serve before'];
  const lines = [`${interruptedMs} ms, ${measureName(String(measured))}`];
  if (typeof promisedMs === 'number') {
    const verdict = interruptedMs <= promisedMs ? 'kept' : 'BROKEN';
    lines.push(
      `promised: at most ${promisedMs} ms for a ${failureName(String(failure))}: ${verdict}`,
    );
  } else {
    lines.push('nothing is promised for this: it was no failure of a known kind');
  }
  return lines;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n');
}

function isNear(event: PairEvent, subject: PairEvent): boolean {
  const distanceMs = Date.parse(event.at) - Date.parse(subject.at);
  return distanceMs >= -BEFORE_MS && distanceMs <= AFTER_MS;
}
