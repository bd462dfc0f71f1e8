import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cgroup, cgroupPathHere } from '@understudy/agent/executor/cgroup';
import type { AgentConfig } from '@understudy/shared/runtime/config/types';
import type { ExecutionContext } from 'ava';
import { until } from './until.ts';

const program = fileURLToPath(new URL('./run-agent.js', import.meta.url));

export type Settings = Partial<Omit<AgentConfig, 'controllers'>> & Pick<AgentConfig, 'controllers'>;

/** A real agent process for one test; it and its data folder are gone when the test is over. */
export class AgentProcess {
  readonly child: ChildProcess;
  readonly data: string;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  log = '';

  constructor(t: ExecutionContext, settings: Settings) {
    this.data = settings.data ?? dataFolder(t);
    const config: AgentConfig = {
      pair: 'orders',
      agent: 'w1',
      token: 'secret',
      labels: {},
      slots: 4,
      users: [],
      worker: { command: [] },
      retry: { everyMs: 100, timeoutMs: 5_000, limit: 200 },
      onLost: { running: 'finish' },
      tls: null,
      log: { level: 'debug', format: 'text' },
      ...settings,
      data: this.data,
    };
    this.child = spawn(process.execPath, [program, JSON.stringify(config)], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    this.exited = once(this.child, 'exit').then(([code, signal]) => ({ code, signal }));
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.exited;
      await removeCgroup(this.data);
      if (!t.passed) t.log(this.log);
    });
  }

  /** Waits for words in the agent's log. */
  async untilLogged(words: string): Promise<void> {
    await until(() => this.log.includes(words), `the agent says "${words}"; it said:\n${this.log}`);
  }
}

/** An agent that was killed can't do it itself. */
async function removeCgroup(data: string): Promise<void> {
  const path = existsSync(data) ? cgroupPathHere(realpathSync(data)) : null;
  if (path !== null) await Cgroup.remove(path);
}

/** A data folder that is gone when the test is over. */
export function dataFolder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'understudy-agent-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
