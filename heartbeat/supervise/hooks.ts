import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';

export interface HookRun {
  readonly name: 'promoted' | 'demoted' | 'fenced';
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly log: Log;
}

/**
 * Runs an operator's command after a change of role. Nothing waits for it and its failure changes
 * nothing; both ends are logged. Past its time limit it is killed with all it started.
 */
export function runHook({ name, command, environment, timeoutMs, log }: HookRun): void {
  if (command.length === 0) return;
  const child = spawnTied(command, {
    env: { ...process.env, ...environment, UNDERSTUDY_HOOK: name },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const timer = setTimeout(() => {
    log.warn('a hook exceeds its time limit and is killed', { hook: name, timeoutMs });
    if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
  }, timeoutMs);
  child.on('error', (error) => {
    clearTimeout(timer);
    log.error('a hook could not be started', { hook: name, error: messageOf(error) });
  });
  child.on('exit', (code, signal) => {
    clearTimeout(timer);
    const level = code === 0 ? 'info' : 'warn';
    log[level]('a hook ended', { hook: name, code, signal });
  });
}
