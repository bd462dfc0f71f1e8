import type { RoleEvent, RoleOptions, RoleState, Step } from '@understudy/heartbeat/role/state';
import { stepRole } from '@understudy/heartbeat/role/step';
import type { FenceRules } from '../store/server.ts';
import { type StoreRules, storeRules } from '../store/tables.ts';

export type StepRole = (
  state: RoleState,
  event: RoleEvent,
  now: number,
  options: RoleOptions,
) => Step;

/** The rules of the pair as the simulated surroundings of the real machines keep them. A mutant breaks one. */
export interface Rules {
  readonly store: StoreRules & FenceRules;
  readonly step: StepRole;
  /** The controller holds itself to the deadline of its tenure. */
  readonly controllerHasDeadline: boolean;
  /** A heartbeat that starts ends what its predecessor left behind. */
  readonly startEndsPredecessor: boolean;
  /** The kernel ends a controller with its heartbeat. */
  readonly isTied: boolean;
  /** Whoever gives its word is bound by it. */
  readonly testimonyBinds: boolean;
  /** Whoever promised to stay passive does. */
  readonly promiseBinds: boolean;
  /** A controller that says that it holds has stopped. */
  readonly holdStops: boolean;
  /** A refused connection proves nothing. */
  readonly refusalIsNoProof: boolean;
  /** Each life of a heartbeat has an id of its own. */
  readonly hasIncarnations: boolean;
  /** An agent refuses orders of a term below the highest that it has seen. */
  readonly agentChecksTerm: boolean;
  /** A run that follows another one is committed with the end of that one. */
  readonly followersTravelWithCause: boolean;
  /** An agent's journal is on disk before a process starts. */
  readonly agentJournals: boolean;
}

export const soundRules: Rules = {
  store: { ...storeRules, isFenced: true, isLocked: true },
  step: stepRole,
  controllerHasDeadline: true,
  startEndsPredecessor: true,
  isTied: true,
  testimonyBinds: true,
  promiseBinds: true,
  holdStops: true,
  refusalIsNoProof: true,
  hasIncarnations: true,
  agentChecksTerm: true,
  followersTravelWithCause: true,
  agentJournals: true,
};
