import { execFileSync } from 'node:child_process';

/** Of the system alone: npm puts programs of packages before it, and one of them is called `nft`. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a program of the system to its end, and gives what it says. Throws when it fails. */
export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
