import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Stands in front of `ip` on every host of a cluster: on some it hangs or fails while a test says so. */
export class StubbornIp {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** To be called before anything of the cluster in this folder runs. */
  static install(folder: string): StubbornIp {
    const programs = join(folder, 'programs');
    mkdirSync(programs);
    const real = execFileSync('sh', ['-c', 'command -v ip'], { encoding: 'utf8' }).trim();
    writeFileSync(join(programs, 'ip'), scriptBefore(real, programs), { mode: 0o755 });
    return new StubbornIp(programs);
  }

  /** What `ip` does on that host from now on. */
  set(host: string, manner: 'hangs' | 'fails' | 'works'): void {
    for (const each of ['hangs', 'fails']) {
      const file = join(this.#folder, `${each}-on-${host}`);
      if (each === manner) writeFileSync(file, '');
      else rmSync(file, { force: true });
    }
  }
}

/** It decides when it has its commands. One that hangs does so until it is killed, whatever is decided then. */
function scriptBefore(real: string, programs: string): string {
  return `#!/bin/sh
commands=$(cat)
if [ -e "${programs}/hangs-on-$TEST_HOST" ]; then sleep infinity; fi
if [ -e "${programs}/fails-on-$TEST_HOST" ]; then
  echo 'RTNETLINK answers: Operation not permitted' >&2
  exit 2
fi
printf '%s\\n' "$commands" | "${real}" "$@"
`;
}
