import {
  announceCommand,
  closeCommands,
  putCommand,
  removeCommands,
} from '@understudy/heartbeat/address/commands';
import { rightsOfChildren } from '@understudy/heartbeat/address/facts';
import {
  type AddressFacts,
  type AddressProblem,
  judgeAddressFacts,
  type Right,
} from '@understudy/heartbeat/address/problems';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import test from 'ava';

const four: VirtualAddress = {
  ...{ address: '10.0.0.10', prefix: 24, family: 4 },
  interface: 'eth0',
};
const six: VirtualAddress = { address: 'fd00::a', prefix: 64, family: 6, interface: 'eth0' };
const good: AddressFacts = {
  programs: new Set(['ip', 'arping', 'ndptool']),
  isArpingOfIputils: true,
  rights: new Set(['CAP_NET_ADMIN', 'CAP_NET_RAW']),
  interfaces: new Set(['lo', 'eth0']),
  withoutIpv6: new Set(),
};

test('a host that has all is fit', (t) => {
  t.deepEqual(judgeAddressFacts([four, six], good), []);
});

test('a host without virtual addresses needs nothing', (t) => {
  const bare = {
    ...good,
    programs: new Set(''),
    rights: new Set<never>(),
    interfaces: new Set(''),
  };
  t.deepEqual(judgeAddressFacts([], bare), []);
});

const missing = test.macro({
  exec(
    t,
    facts: Partial<AddressFacts>,
    what: AddressProblem['what'],
    problem: RegExp,
    advice: RegExp,
  ) {
    const found = judgeAddressFacts([four, six], { ...good, ...facts });
    t.true(found.length > 0);
    for (const each of found) {
      t.is(each.what, what);
      t.regex(each.problem, problem);
      t.regex(each.advice, advice);
    }
  },
  title: (_, _facts, what, problem) => `a host is not fit: ${what}, ${problem}`,
});

test(missing, { programs: new Set(['arping', 'ndptool']) }, 'program', /^ip, /, /iproute2/);
test(missing, { programs: new Set(['ip', 'ndptool']) }, 'program', /^arping/, /iputils-arping/);
test(missing, { programs: new Set(['ip', 'arping']) }, 'program', /^ndptool/, /libndp-tools/);
test(missing, { isArpingOfIputils: false }, 'program', /not the one of iputils/, /iputils-arping/);
test(
  missing,
  { rights: new Set<Right>(['CAP_NET_RAW']) },
  'right',
  /^CAP_NET_ADMIN/,
  /AmbientCapab/,
);
test(
  missing,
  { rights: new Set<Right>(['CAP_NET_ADMIN']) },
  'right',
  /^CAP_NET_RAW/,
  /AmbientCapab/,
);
test(missing, { interfaces: new Set(['lo']) }, 'interface', /eth0 of .* is not there/, /: lo$/);
test(missing, { withoutIpv6: new Set(['eth0']) }, 'family', /switched off on eth0/, /disable_ipv6/);

test('programs of root may do what is not ruled out, those of others what is ambient', (t) => {
  const status = (uid: number, bounding: string, ambient: string) =>
    `Name:\tx\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapBnd:\t${bounding}\nCapAmb:\t${ambient}\n`;
  const both = ['CAP_NET_ADMIN', 'CAP_NET_RAW'];
  t.deepEqual([...rightsOfChildren(status(0, '000001ffffffffff', '0000000000000000'))], both);
  t.deepEqual([...rightsOfChildren(status(0, '0000000000000001', '0000000000000000'))], []);
  t.deepEqual([...rightsOfChildren(status(7, '000001ffffffffff', '0000000000000000'))], []);
  t.deepEqual([...rightsOfChildren(status(7, '000001ffffffffff', '0000000000003000'))], both);
});

test('an address is put for a time, one of IPv6 at once and for nobody of this host', (t) => {
  t.is(putCommand(four, 3), 'addr replace 10.0.0.10/24 dev eth0 valid_lft 3 preferred_lft 3');
  t.is(putCommand(six, 3), 'addr replace fd00::a/64 dev eth0 nodad valid_lft 3 preferred_lft 0');
});

test('an address goes together with what closed its door', (t) => {
  t.deepEqual(removeCommands(four), [
    'addr flush to 10.0.0.10/32',
    'route del broadcast 10.0.0.10 table local',
  ]);
  t.deepEqual(removeCommands(six), [
    'addr flush to fd00::a/128',
    'route del anycast fd00::a table local metric 1',
  ]);
  t.deepEqual(closeCommands(four), [
    'route replace broadcast 10.0.0.10 dev eth0 table local scope link src 10.0.0.10',
  ]);
  t.deepEqual(closeCommands(six), [
    'route replace anycast fd00::a dev eth0 table local metric 1 expires 5',
    'route del local fd00::a table local proto kernel',
  ]);
});

test('an address of IPv4 is announced in both ways by turns', (t) => {
  const modes = [1, 2, 3].map((turn) => announceCommand(four, turn)[2]);
  t.deepEqual(modes, ['-A', '-U', '-A']);
  t.is(announceCommand(six, 1)[0], 'ndptool');
});
