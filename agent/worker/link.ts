/** What travels between the agent's heartbeat and its worker, over the IPC channel. Terms are strings. */
import type { TlsConfig } from '@understudy/shared/runtime/config/types';
import type { Loss } from '../follow/follow.ts';

export interface WorkerConfig {
  readonly pair: string;
  readonly agent: string;
  readonly incarnation: string;
  readonly version: string;
  readonly token: string;
  /** Null: plain HTTP. */
  readonly tls: TlsConfig | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  readonly data: string;
  /** Time limit of a request to a controller, registration and reports. */
  readonly requestTimeoutMs: number;
  /** As whom programs may run, beside the agent's own user. */
  readonly users: readonly string[];
}

export type ToWorker =
  | { readonly type: 'configure'; readonly config: WorkerConfig }
  | { readonly type: 'follow'; readonly url: string; readonly node: string }
  /** Are you well? The answer is `well`. */
  | { readonly type: 'check' }
  /** No controller is looked for any more: take no orders, let what runs end. The answer is `idle`. */
  | { readonly type: 'finish' }
  /** As `finish`, and what runs is ended now. */
  | { readonly type: 'kill' }
  /** A clean stop: end what runs, report it within `reportWithinMs` if that can be done. Answer: `idle`. */
  | { readonly type: 'stop'; readonly reportWithinMs: number };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'joined'; readonly term: string }
  | { readonly type: 'lost'; readonly loss: Loss }
  | { readonly type: 'heard'; readonly term: string }
  | { readonly type: 'well' }
  /** It takes at most so long until nothing runs any more. */
  | { readonly type: 'stopping'; readonly withinMs: number }
  /** Nothing runs any more. */
  | { readonly type: 'idle'; readonly unreported: number }
  /** The worker can't work here at all. */
  | { readonly type: 'unfit'; readonly message: string; readonly exitCode: number }
  | {
      readonly type: 'log';
      readonly level: 'error' | 'warn' | 'info' | 'debug';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
