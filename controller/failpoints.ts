/**
 * Named places at which a test makes this process fail. `UNDERSTUDY_FAILPOINTS` lists them, separated by
 * commas. At one of `places` the process is killed with SIGKILL. `block-loop-on:SIGUSR2` blocks the event loop for good at that signal, and
 * `stop-scheduler-on:SIGUSR1` keeps the scheduler from ticking. `NAME=FILE` fails only while the file
 * exists, and removes it first, so that the next process does not fail again.
 */
import { rmSync } from 'node:fs';

const places = [
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
export type Failpoint = (typeof places)[number];

export interface Failpoints {
  /** Does not return if this process is to fail here. */
  pass(place: Failpoint): void;
  /** A signal on which the scheduler is to stop ticking. */
  readonly stopSchedulerOn: NodeJS.Signals | null;
}

export function readFailpoints(text: string | undefined): Failpoints {
  const given = (text ?? '').split(',').filter((part) => part !== '');
  const armed = new Map(
    given.map((part) => {
      const [name = '', file = null] = part.split('=', 2);
      return [name, file] as const;
    }),
  );
  const blockOn = signalAfter(given, 'block-loop-on:');
  if (blockOn !== null) process.on(blockOn, blockForGood);
  return {
    pass: (place) => {
      const file = armed.get(place);
      if (file === undefined || (file !== null && !takeAway(file))) return;
      process.kill(process.pid, 'SIGKILL');
      blockForGood();
    },
    stopSchedulerOn: signalAfter(given, 'stop-scheduler-on:'),
  };
}

function signalAfter(given: readonly string[], prefix: string): NodeJS.Signals | null {
  const found = given.find((part) => part.startsWith(prefix));
  return found === undefined ? null : (found.slice(prefix.length) as NodeJS.Signals);
}

function takeAway(file: string): boolean {
  try {
    rmSync(file);
    return true;
  } catch {
    return false;
  }
}

function blockForGood(): never {
  for (;;);
}
