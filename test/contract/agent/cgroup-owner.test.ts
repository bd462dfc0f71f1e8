import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { Cgroup, cgroupPathHere } from '@understudy/agent/executor/cgroup';
import test from 'ava';

const NOBODY = 65_534;

test('an agent that is not root makes cgroups below one that was given to it', async (t) => {
  const path = cgroupPathHere(`cgroup-owner test ${process.pid}`);
  if (path === null || process.getuid?.() !== 0) {
    t.log('only root can give a cgroup of version 2 away, and none may be there');
    t.is(process.env['CI'], undefined);
    return;
  }
  t.teardown(() => Cgroup.remove(path));
  mkdirSync(path);
  // As systemd does with Delegate=yes.
  for (const name of ['', '/cgroup.procs', '/cgroup.kill']) chownSync(path + name, NOBODY, NOBODY);
  const module = import.meta.resolve('@understudy/agent/executor/cgroup');
  const script = `import { Cgroup } from '${module}'; process.stdout.write(String(Cgroup.make('${path}') !== null));`;
  const made = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    ...{ uid: NOBODY, gid: NOBODY, encoding: 'utf8', cwd: '/' },
  });
  t.is(made, 'true');
});
