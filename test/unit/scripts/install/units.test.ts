import type { AgentFacts, ControllerFacts } from '@understudy/scripts/install/host/facts';
import { warningsOf } from '@understudy/scripts/install/host/next-steps';
import { planFiles } from '@understudy/scripts/install/host/plan';
import { agentUnit, controllerUnit } from '@understudy/scripts/install/host/units';
import test from 'ava';

const host = {
  account: 'understudy',
  makesAccount: true,
  node: '/usr/bin/node',
  program: '/usr/lib/node_modules/understudy/bin/understudy.js',
};
const controller: ControllerFacts = {
  ...host,
  role: 'controller',
  pair: 'orders',
  nodeId: 'a',
  address: '10.0.0.11',
  peers: ['10.0.0.12'],
  hasVip: false,
  token: 'a-token',
};
const agent: AgentFacts = {
  ...{ ...host, role: 'agent', pair: 'orders', agentId: 'w1' },
  controllers: ['http://10.0.0.11:7300'],
};

test('a unit starts the very process, and names what it reads', (t) => {
  t.regex(
    controllerUnit(controller),
    /^ExecStart=\/usr\/bin\/node \/usr\/lib\/node_modules\/understudy\/bin\/understudy\.js heartbeat --config \/etc\/understudy\/understudy\.yaml$/m,
  );
  t.regex(agentUnit(agent), /^ExecStart=.* agent --config \/etc\/understudy\/agent\.yaml$/m);
});

test('a path with blanks and signs that systemd reads is one word', (t) => {
  const unit = controllerUnit({ ...controller, node: '/opt/my node/100%/$x"/node' });
  t.regex(unit, /^ExecStart="\/opt\/my node\/100%%\/\$\$x\\"\/node" \/usr/m);
});

test('only a host that may hold the virtual address has rights on the network', (t) => {
  t.regex(controllerUnit(controller), /^CapabilityBoundingSet=$/m);
  t.notRegex(controllerUnit(controller), /AmbientCapabilities|AF_PACKET|ExecStopPost/);
  const unit = controllerUnit({ ...controller, hasVip: true });
  t.regex(unit, /^AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW$/m);
  t.regex(unit, /^CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW$/m);
  t.regex(unit, /^ExecStopPost=-.* address scrub --config \/etc\/understudy\/understudy\.yaml$/m);
});

test('jobs can not speak to systemd in the name of their agent', (t) => {
  t.notRegex(agentUnit(agent), /NotifyAccess|Type=notify/);
});

test('what lies in a home is told of, and is not hidden from the service', (t) => {
  const inHome = { ...controller, node: '/root/.nvm/bin/node' };
  t.is(warningsOf(inHome).length, 1);
  t.regex(controllerUnit(inHome), /^ProtectHome=read-only$/m);
  t.deepEqual(warningsOf(controller), []);
  t.regex(controllerUnit(controller), /^ProtectHome=yes$/m);
});

test('secrets are read by root alone, and are the operator’s once they are there', (t) => {
  for (const facts of [controller, agent]) {
    const secrets = planFiles(facts).find(({ path }) => path.endsWith('.env'));
    t.is(secrets?.mode, 0o600);
    t.true(secrets?.isTheirs);
    t.false(
      planFiles(facts).some(({ path, text }) => path.endsWith('.yaml') && /a-token/.test(text)),
    );
  }
});

test('an account that exists is not made', (t) => {
  const paths = (makesAccount: boolean) =>
    planFiles({ ...agent, makesAccount }).map(({ path }) => path);
  t.true(paths(true).some((path) => path.includes('sysusers.d')));
  t.false(paths(false).some((path) => path.includes('sysusers.d')));
});
