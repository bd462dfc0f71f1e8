import { spawn } from 'node:child_process';
import type { Exit, Launch, Launched } from './port.ts';

/** As Node starts programs: by a copy of this process, which costs the more the more memory it has. */
export function launchByNode({ command, env, cwd, output }: Launch): Promise<Launched> {
  const [program = '', ...rest] = command;
  const child = spawn(program, rest, {
    detached: true,
    env: { ...env },
    ...(cwd === null ? {} : { cwd }),
    stdio: ['ignore', output, output],
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve({ pid: child.pid ?? 0, exited }));
    child.once('error', reject);
  });
}
