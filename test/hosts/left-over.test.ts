import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { HostNetwork } from '@understudy/scripts/hosts/network';
import { spawnTied } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';
import { needingRoot } from '../support/balancer/needing.ts';
import { eventually } from '../support/cluster/eventually.ts';

const main = fileURLToPath(new URL('../support/hosts/network-process.js', import.meta.url));

/** A process of its own with a network, and how it is killed. */
async function otherRun(t: ExecutionContext) {
  const child = spawnTied([process.execPath, main], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(kill);
  const [said] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  return { pid: child.pid ?? 0, own: said.toString().trim(), kill };
}

const namespacesOf = (pid: number) =>
  readdirSync('/run/netns').filter((name) => name.startsWith(`understudy-test-${pid}-`));

const isHere = (address: string) =>
  Object.values(networkInterfaces()).some((all) => all?.some((each) => each.address === address));

test.serial(
  'what a killed run has left of its network goes with the next one, and nothing of a run that lives',
  needingRoot(['ip'], async (t) => {
    const [dead, living] = [await otherRun(t), await otherRun(t)];
    t.is(namespacesOf(dead.pid).length, 3, 'two hosts and their switch');
    await dead.kill();
    const undoings: (() => unknown)[] = [];
    HostNetwork.make({ teardown: (undo) => void undoings.push(undo) }, ['x']);
    t.teardown(() => {
      for (const undo of undoings.toReversed()) undo();
    });
    t.deepEqual(namespacesOf(dead.pid), []);
    t.is(namespacesOf(living.pid).length, 3);
    t.true(isHere(living.own));
    // The kernel takes the interface with its switch, in its own time.
    await eventually(() => (isHere(dead.own) ? null : true), { what: `${dead.own} to be gone` });
    await living.kill();
    HostNetwork.make({ teardown: (undo) => void undoings.push(undo) }, ['y']);
    t.deepEqual(namespacesOf(living.pid), []);
  }),
);
