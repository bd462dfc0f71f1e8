import { parseInterface, parseRouterId, parseVip } from '@understudy/scripts/install/lb/parse-vip';
import test from 'ava';

test('an address that moves has the length of its network', (t) => {
  for (const good of ['10.0.0.10/24', '10.0.0.10/32', 'fd00::10/64', 'fd00::10/128']) {
    t.is(parseVip(good), good);
  }
  const bad = ['10.0.0.10', '10.0.0.10/33', '10.0.0.10/0', 'fd00::10/129', 'one.example/24', '/24'];
  for (const text of [...bad, '10.0.0.10/24/8', '10.0.0.10/24 dev eth1', '']) {
    t.throws(() => parseVip(text), { message: /^--vip holds ".*"; expected an address/ }, text);
  }
});

test('a virtual router has a number of one byte', (t) => {
  t.is(parseRouterId('1'), 1);
  t.is(parseRouterId('255'), 255);
  for (const text of ['0', '256', '1.5', '-1', 'one', '']) {
    t.throws(() => parseRouterId(text), { message: /expected a whole number from 1 to 255/ }, text);
  }
});

test('the name of an interface is one word', (t) => {
  t.is(parseInterface('enp0s31f6.20'), 'enp0s31f6.20');
  for (const text of ['', 'eth0 eth1', 'eth0\n}', 'a-name-that-is-too-long', 'a/b']) {
    t.throws(() => parseInterface(text), { message: /expected the name of a network interface/ });
  }
});
