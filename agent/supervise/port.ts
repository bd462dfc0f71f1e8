import type { Term } from '@understudy/shared/kernel/term';
import type { Target } from '../follow/choose.ts';
import type { Loss } from '../follow/follow.ts';

/** What the agent's heartbeat needs of a worker, be it the built-in one or a wrapped program. */
export interface WorkerPort {
  start(): void;
  /** Follow this controller; `onJoined` or `onLost` tells how it went. */
  follow(target: Target): void;
  /** No controller is followed any more. Resolves when nothing runs; `kill` makes that soon. */
  finish(running: 'finish' | 'kill'): Promise<void>;
  /** A clean stop. Resolves when nothing runs and what could be reported is. */
  stop(): Promise<void>;
  /** Ends the worker at once, for good. */
  kill(): void;
}

export interface WorkerEvents {
  onJoined(term: Term): void;
  onLost(loss: Loss): void;
  onHeard(term: Term): void;
  /** The worker can never work here: the agent ends with this code. */
  onUnfit(message: string, exitCode: number): void;
}

/** Between SIGTERM and SIGKILL of a wrapped program. */
export const graceMs = 5_000;

/** How soon a worker that ended is started again. */
export const restartBackoff = { firstMs: 200, factor: 2, maxMs: 10_000 } as const;

/** A worker that lived so long has not failed at starting. */
export const steadyAfterMs = 30_000;
