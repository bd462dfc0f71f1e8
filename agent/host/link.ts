/** What travels between a worker and its module host, over the IPC channel: many at a time. */
import type { HttpAction, ModuleAction } from '@understudy/shared/protocol/action';
import type { OutputLimit } from '../executor/output-limit.ts';

/** An attempt for the host to carry out. */
export interface HostedStart {
  readonly id: string;
  readonly run: string;
  readonly attempt: number;
  readonly job: string;
  readonly term: string;
  readonly scheduledFor: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly action:
    | { readonly type: 'module'; readonly module: ModuleAction }
    | { readonly type: 'http'; readonly http: HttpAction };
  /** The file that gets what it says, made only when it says something. */
  readonly log: string;
  readonly outputLimit: OutputLimit | null;
}

/** Each of them is answered, at least with `well`. */
export type ToHost =
  | { readonly type: 'start'; readonly starts: readonly HostedStart[] }
  /** An attempt is to end: its signal is aborted. */
  | { readonly type: 'abort'; readonly id: string; readonly reason: string }
  /** Are you well? */
  | { readonly type: 'check' };

export type HostNews =
  /** So many bytes of output are kept. */
  | { readonly type: 'wrote'; readonly id: string; readonly bytes: number }
  /** It goes on, and has to be ended. */
  | { readonly type: 'failing'; readonly id: string; readonly reason: string }
  | { readonly type: 'ended'; readonly id: string; readonly end: HostedEnd }
  /** Something went wrong that belongs to no attempt. */
  | { readonly type: 'fault'; readonly reason: string };

export interface HostedEnd {
  readonly outcome: 'exited' | 'not-started';
  readonly exitCode: number | null;
  readonly reason: string | null;
  readonly bytes: number;
}

export type FromHost =
  | { readonly type: 'ready' }
  | { readonly type: 'well' }
  | { readonly type: 'news'; readonly news: readonly HostNews[] };
