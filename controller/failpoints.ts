/**
 * Places at which a test makes the controller fail. `UNDERSTUDY_FAILPOINTS` lists them, separated by
 * commas, see `@understudy/shared/runtime/failpoints`. Beside them `block-loop-on:SIGUSR2` blocks the event
 * loop for good at that signal, and `stop-scheduler-on:SIGUSR1` keeps the scheduler from ticking.
 */
import {
  blockForGood,
  type Failpoints as Places,
  readFailpoints as readPlaces,
} from '@understudy/shared/runtime/failpoints';

/** Where it can be made to die. */
export const controllerFailpoints = [
  // The beginning of a tenure: it was told to; the work is loaded, and who comes waits; who comes is answered.
  'before-load',
  'before-serve',
  'after-serve',
  // A request for a run: it is committed, and not answered.
  'after-commit-before-reply',
  // Dispatch: the attempt is decided; it is committed; its order was sent.
  'before-intent-commit',
  'after-intent-before-order',
  'after-order-sent',
  // Reports: the batch has come; what it says is decided; it is committed, and not acknowledged.
  'after-accept-before-record',
  'before-report-commit',
  'after-report-commit',
  // Switch-over: asked to hold; requests are parked; nothing is under way any more; a request is sent on.
  'before-hold',
  'after-hold',
  'after-held',
  'during-forward',
] as const;
export type Failpoint = (typeof controllerFailpoints)[number];

export interface Failpoints extends Places<Failpoint> {
  /** A signal on which the scheduler is to stop ticking. */
  readonly stopSchedulerOn: NodeJS.Signals | null;
}

export function readFailpoints(text: string | undefined): Failpoints {
  const given = (text ?? '').split(',');
  const blockOn = signalAfter(given, 'block-loop-on:');
  if (blockOn !== null) process.on(blockOn, blockForGood);
  const { pass } = readPlaces<Failpoint>(text);
  return { pass, stopSchedulerOn: signalAfter(given, 'stop-scheduler-on:') };
}

function signalAfter(given: readonly string[], prefix: string): NodeJS.Signals | null {
  const found = given.find((part) => part.startsWith(prefix));
  return found === undefined ? null : (found.slice(prefix.length) as NodeJS.Signals);
}
