import { cgroupPath } from '@understudy/agent/executor/cgroup';
import test from 'ava';

const line = (point: string, type: string, root = '/') =>
  `31 23 0:27 ${root} ${point} rw,nosuid shared:9 - ${type} cgroup rw`;

test('the cgroup lies below our own, in the hierarchy of version 2', (t) => {
  const mounts = [line('/sys/fs/cgroup/pids', 'cgroup'), line('/sys/fs/cgroup', 'cgroup2')];
  const path = cgroupPath('/data', {
    membership: '4:pids:/x\n0::/system.slice/agent.service\n',
    mounts: mounts.join('\n'),
  });
  t.regex(
    path ?? '',
    /^\/sys\/fs\/cgroup\/system\.slice\/agent\.service\/understudy-agent-\w{16}$/,
  );
});

test('where a part of the hierarchy is mounted, the path is within that part', (t) => {
  const path = cgroupPath('/data', {
    membership: '0::/docker/abc\n',
    mounts: line('/sys/fs/cgroup', 'cgroup2', '/docker/abc'),
  });
  t.regex(path ?? '', /^\/sys\/fs\/cgroup\/understudy-agent-/);
});

test('each data folder has its own', (t) => {
  const facts = { membership: '0::/\n', mounts: line('/sys/fs/cgroup', 'cgroup2') };
  t.not(cgroupPath('/data', facts), cgroupPath('/other', facts));
});

test('where there is no version 2 there is none', (t) => {
  const mounts = line('/sys/fs/cgroup/pids', 'cgroup');
  t.is(cgroupPath('/data', { membership: '0::/\n', mounts }), null);
  t.is(
    cgroupPath('/data', { membership: '4:pids:/x\n', mounts: line('/sys/fs/cgroup', 'cgroup2') }),
    null,
  );
});
