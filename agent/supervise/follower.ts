import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import type { Answer, Target } from '../follow/choose.ts';
import {
  beginFollow,
  type FollowEffect,
  type FollowEvent,
  type FollowOptions,
  type FollowState,
  type FollowStep,
  type Loss,
  type News,
  type Search,
  stepFollow,
} from '../follow/follow.ts';

export interface FollowerOptions extends FollowOptions {
  readonly highest: Term;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly ask: (
    about: { readonly beyond: Term | null; readonly next: string | null },
    signal: AbortSignal,
  ) => Promise<Answer[]>;
  readonly follow: (target: Target) => void;
  readonly giveUp: (search: Search) => void;
}

/** Runs the machine of `follow` in real time. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #closed = new AbortController();
  #state: FollowState | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  start(): void {
    const { highest, clock } = this.#options;
    this.#enter(beginFollow(highest, clock.monotonicMs()));
  }

  /** No controller is looked for or followed any more. */
  close(): void {
    this.#closed.abort();
    clearTimeout(this.#timer);
  }

  joined(term: Term): void {
    this.#step({ type: 'joined', term });
  }

  lost(loss: Loss): void {
    this.#step({ type: 'lost', ...loss, jitter: this.#options.random() });
  }

  heard(term: Term): void {
    this.#step({ type: 'heard', term });
  }

  #step(event: FollowEvent): void {
    if (this.#state === null || this.#closed.signal.aborted) return;
    const { clock } = this.#options;
    this.#enter(stepFollow(this.#state, event, clock.monotonicMs(), this.#options));
  }

  #enter(step: FollowStep): void {
    this.#state = step.state;
    for (const effect of step.effects) this.#apply(effect);
  }

  #apply(effect: FollowEffect): void {
    const { clock, follow, giveUp } = this.#options;
    switch (effect.type) {
      case 'ask':
        void this.#ask(effect);
        return;
      case 'wake': {
        const waitMs = Math.max(0, Math.ceil(effect.atMs - clock.monotonicMs()));
        this.#timer = setTimeout(() => this.#wake(effect.atMs), waitMs);
        return;
      }
      case 'follow':
        follow(effect.target);
        return;
      case 'give-up':
        giveUp(effect.search);
        return;
      case 'tell':
        tell(this.#options.log, effect.news, this.#options.limit);
        return;
      default:
        unreachable(effect);
    }
  }

  /** Timers may fire a little early on the monotonic clock. */
  #wake(atMs: number): void {
    if (this.#options.clock.monotonicMs() < atMs) {
      this.#timer = setTimeout(() => this.#wake(atMs), 1);
    } else {
      this.#step({ type: 'woken' });
    }
  }

  async #ask(about: Extract<FollowEffect, { type: 'ask' }>): Promise<void> {
    const answers = await this.#options.ask(about, this.#closed.signal);
    this.#step({ type: 'answered', answers, jitter: this.#options.random() });
  }
}

function tell(log: Log, news: News, limit: number): void {
  switch (news.type) {
    case 'followed':
      tellFollowed(log, news);
      return;
    case 'lost': {
      const { node, url, term } = news.target;
      log.warn(`lost controller ${node} of term ${term}: ${news.reason}`, { node, url, term });
      return;
    }
    case 'round-failed': {
      const { rounds, found } = news.search;
      const level = news.changed ? 'warn' : 'debug';
      log[level](`no controller to follow: ${found}`, { round: rounds, limit });
      return;
    }
    default:
      unreachable(news);
  }
}

function tellFollowed(log: Log, news: Extract<News, { type: 'followed' }>): void {
  const { node, url, term } = news.target;
  const afterMs = Math.round(news.afterMs);
  const fields = { node, url, term, afterMs, rounds: news.rounds };
  if (news.from === null) log.info(`following ${node} under term ${term}`, fields);
  else if (news.from.url === url) log.info(`back with ${node} under term ${term}`, fields);
  else log.info(`repointed to ${node} under term ${term} after ${afterMs} ms`, fields);
}
