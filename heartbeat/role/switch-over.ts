import type { LeaseRow } from '../lease/port.ts';
import { fence } from './fence.ts';
import type {
  Phase,
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
  Step,
  Successor,
} from './state.ts';
import { learnTerm, only } from './steps.ts';

type HandingOver = Extract<Phase, { name: 'handing-over' }>;
type Quiescing = Extract<Phase, { name: 'quiescing' }>;

/** Begins a switch-over (PROTOCOL.md, "Switch-over"), unless this is no moment for one. */
export function switchOverAsked(
  state: RoleState,
  successor: Successor,
  now: number,
  options: RoleOptions,
): Step {
  const { phase } = state;
  if (phase.name !== 'serving') return calledOff(state, `this node is ${phase.name}`);
  if (state.stopping) return calledOff(state, 'this node is stopping');
  const { tenure, servingSince } = phase;
  if (tenure.failingSince !== null) return calledOff(state, 'the store does not answer');
  const withinMs = options.canHold ? options.holdMs : options.drainMs;
  const story = {
    kind: 'switching-over',
    term: tenure.term,
    to: successor.holder.node,
  } as const;
  return only(
    {
      ...state,
      phase: {
        name: 'quiescing',
        tenure,
        servingSince,
        successor,
        // The controller keeps the limit itself; this one is for a controller that says nothing.
        until: now + withinMs + options.callTimeoutMs,
        askedAt: now,
      },
    },
    [
      { kind: 'tell', story },
      options.canHold
        ? { kind: 'hold-controller', forMs: withinMs }
        : { kind: 'drain-controller', graceMs: withinMs },
    ],
  );
}

/** Nothing happened: the controller goes on. */
export function callOff(state: RoleState, reason: string): Step {
  const { phase } = state;
  if (phase.name !== 'quiescing' && phase.name !== 'handing-over') return only(state);
  const { tenure, servingSince } = phase;
  const step = calledOff(
    { ...state, controller: 'serving', phase: { name: 'serving', tenure, servingSince } },
    reason,
  );
  return only(step.state, [{ kind: 'resume-controller' }, ...step.effects]);
}

function calledOff(state: RoleState, reason: string): Step {
  return only(state, [{ kind: 'tell', story: { kind: 'switch-over-called-off', reason } }]);
}

/** The controller has stopped writing (or, wrapped, has ended): now the lease may go. */
export function quiesced(
  state: RoleState,
  controller: 'held' | 'none',
  options: RoleOptions,
): Step {
  const { phase } = state;
  if (phase.name !== 'quiescing') return only(state);
  const { tenure, servingSince, successor, askedAt } = phase;
  const handing: HandingOver = {
    name: 'handing-over',
    tenure,
    servingSince,
    successor,
    askedAt,
    attempt: 'waiting',
  };
  return sendWhenRenewed({ ...state, controller, phase: handing }, options);
}

/** A renewal under way would change the row under the hand-over's feet: it is waited for. */
export function sendWhenRenewed(state: RoleState, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name !== 'handing-over' || phase.attempt !== 'waiting') return only(state);
  const { tenure, successor } = phase;
  if (tenure.renewing) return only(state);
  if (tenure.failingSince !== null) return goOn(state, 'the store does not answer', options);
  const held = { term: tenure.term, incarnation: options.self.incarnation };
  return only({ ...state, phase: { ...phase, attempt: 'sent' } }, [
    { kind: 'hand-over', held, renewSeq: tenure.renewSeq, to: successor.holder },
  ]);
}

/** The lease is the successor's. What still comes here is passed on to it for a while. */
function handedOver(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name !== 'handing-over') return only(state);
  const { successor, tenure, askedAt } = phase;
  const { term } = tenure;
  const lives = state.controller === 'held';
  const effects: RoleEffect[] = lives
    ? [
        {
          kind: 'forward-controller',
          to: successor.controllerUrl,
          forMs: options.forwardMs + options.drainMs,
        },
      ]
    : [];
  const story = {
    kind: 'handed-over',
    term,
    to: successor.holder.node,
    newTerm: row.term,
    afterMs: now - askedAt,
  } as const;
  return only(
    learnTerm(
      {
        ...state,
        phase: { name: 'watching' },
        controller: lives ? 'forwarding' : 'none',
        forwarding: lives ? { until: now + options.forwardMs, isEnding: false } : null,
        watch: { row, changedAt: now, readAt: now },
        nextReadAt: now + options.pollEveryMs,
        boundTerm: term,
        gaveTerm: row.term,
      },
      row.term,
    ),
    [...effects, { kind: 'tell', story }],
  );
}

type HandOverEvent = Extract<
  RoleEvent,
  { kind: 'handed-over' | 'hand-over-refused' | 'hand-over-failed' }
>;

/** Takes in what became of the hand-over. */
export function handOverAnswered(
  state: RoleState,
  event: HandOverEvent,
  now: number,
  options: RoleOptions,
): Step {
  const { phase } = state;
  if (phase.name !== 'handing-over' || phase.tenure.term !== event.term) return only(state);
  switch (event.kind) {
    case 'handed-over':
      return handedOver(state, event.row, now, options);
    case 'hand-over-refused':
      return settle(state, event.row, now, options);
    case 'hand-over-failed': {
      // Nothing is written meanwhile; a renewal tells whether the lease is still ours.
      const tenure = { ...phase.tenure, nextRenewAt: now };
      return only({ ...state, phase: { ...phase, tenure, attempt: 'unknown' } });
    }
  }
}

/** What the row says after a hand-over that was refused, or a renewal after one whose answer was lost. */
export function settle(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name !== 'handing-over') return only(state);
  const { tenure, successor } = phase;
  if (row.term > tenure.term && row.holder?.incarnation === successor.holder.incarnation) {
    return handedOver(state, row, now, options);
  }
  const isOurs = row.term === tenure.term && row.holder?.incarnation === options.self.incarnation;
  if (isOurs && !row.released && !row.storeSaysExpired) {
    return goOn(state, 'the lease had been renewed meanwhile', options);
  }
  const detail = `the lease is at term ${row.term}, held by ${row.holder?.node ?? 'nobody'}`;
  return fence(learnTerm(state, row.term), { reason: 'lease-lost', detail }, now, options);
}

/** A renewal was granted after a hand-over of unknown outcome: it did not happen and never will. */
export function goOn(state: RoleState, reason: string, options: RoleOptions): Step {
  if (state.controller === 'held') return callOff(state, reason);
  const { phase } = state;
  if (phase.name !== 'handing-over') return only(state);
  // A wrapped program has ended for it: there is nothing to go on with.
  const { term } = phase.tenure;
  const why = { reason: 'asked-to-switch-over', detail: reason } as const;
  const held = { term, incarnation: options.self.incarnation };
  return only({ ...state, phase: { name: 'releasing', term, why } }, [
    { kind: 'tell', story: { kind: 'switch-over-called-off', reason } },
    { kind: 'tell', story: { kind: 'demoting', term, why } },
    { kind: 'tell', story: { kind: 'fenced', term } },
    { kind: 'release', held },
  ]);
}

/** The limits of waiting: a controller that does not come to rest goes on, a wrapped one is ended. */
export function quiesceInTime(
  state: RoleState,
  phase: Quiescing,
  now: number,
  options: RoleOptions,
): Step {
  if (now < phase.until) return only(state);
  if (options.canHold) return callOff(state, 'the controller did not come to rest in time');
  const detail = 'it did not end in time for a switch-over';
  return fence(state, { reason: 'asked-to-switch-over', detail }, now, options);
}
