import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { lowerPriority } from './priority.ts';

export interface HooksOptions {
  readonly commands: Readonly<Record<HookName, readonly string[]>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Awaited before `promoted` is run: a hook may use what comes with the role. */
  readonly beforePromoted?: () => Promise<void>;
  readonly log: Log;
}

export type HookName = 'promoted' | 'demoted' | 'fenced';

/** What hooks need to know of a line of the fail-over story. */
export interface ToldStory {
  readonly kind: string;
  readonly term?: Term;
}

/**
 * Runs an operator's commands after changes of role, with the term that is meant. No change of role waits for
 * them and their failure changes nothing; both ends are logged. Past its time limit a hook is killed with
 * its group. The end of the heartbeat waits for them: it would be the end of theirs.
 */
export class Hooks {
  readonly #options: HooksOptions;
  readonly #running = new Set<Promise<void>>();
  /** The term in which this node served and of which no end was told yet. */
  #servedTerm: Term | null = null;

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  /** Runs the hook that belongs to this story, if any. */
  onStory(story: ToldStory): void {
    const { kind, term } = story;
    if (term === undefined) return;
    switch (kind) {
      case 'serving':
        this.#servedTerm = term;
        return this.#start('promoted', term, this.#options.beforePromoted?.());
      case 'fenced':
        return this.#start('fenced', term);
      case 'handed-over':
        // Nothing is written under that term any more, and nobody is killed for it.
        this.#servedTerm = null;
        return this.#start('demoted', term);
      case 'given-back':
      case 'give-back-failed':
        // A grant that was never used, and the lease of a predecessor, are given back, too.
        if (term !== this.#servedTerm) return;
        this.#servedTerm = null;
        return this.#start('demoted', term);
    }
  }

  /** Resolves when no hook runs any more, each within its time limit. */
  async finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #start(name: HookName, term: Term, after = Promise.resolve()): void {
    const running = after.then(() => runHook(name, term, this.#options));
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }
}

function runHook(name: HookName, term: Term, options: HooksOptions): Promise<void> {
  const { environment, timeoutMs, log } = options;
  const command = options.commands[name];
  if (command.length === 0) return Promise.resolve();
  const child = spawnTied(command, {
    env: {
      ...process.env,
      ...environment,
      UNDERSTUDY_TERM: formatTerm(term),
      UNDERSTUDY_HOOK: name,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (child.pid !== undefined) lowerPriority(child.pid);
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      log.warn('a hook exceeds its time limit and is killed', { hook: name, timeoutMs });
      if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
      finish();
    }, timeoutMs);
    child.on('error', (error) => {
      log.error('a hook could not be started', { hook: name, error: messageOf(error) });
      finish();
    });
    child.on('exit', (code, signal) => {
      const level = code === 0 ? 'info' : 'warn';
      log[level]('a hook ended', { hook: name, code, signal });
      finish();
    });
  });
}
