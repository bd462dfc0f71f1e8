import { asListed } from '@understudy/scripts/hosts/network-host';
import test from 'ava';
import { addressFaults, lastHeldAt, longestOverlapMs } from '../../support/invariants/address.ts';

const MS = 1_000_000n;
const samples = (...holders: readonly string[]) =>
  holders.map((names, index) => ({ at: BigInt(50 * index) * MS, holders: names.split('') }));

test('one host after the other is sound, and so is nobody', (t) => {
  t.deepEqual(addressFaults(samples('a', 'a', '', 'b', 'b'), 0), []);
});

test('two hosts at the same time are a fault beyond the bound', (t) => {
  const seen = samples('a', 'ab', 'ab', 'ab', 'b');
  t.is(longestOverlapMs(seen), 100);
  t.deepEqual(addressFaults(seen, 100), []);
  t.deepEqual(addressFaults(seen, 99), ['I9: a and b had the address at the same time for 100 ms']);
});

test('an overlap that lasts to the end counts', (t) => {
  t.is(addressFaults(samples('ab', 'ab', 'ab'), 99).length, 1);
});

test('two overlaps with a good look between them are two', (t) => {
  t.is(longestOverlapMs(samples('ab', 'ab', 'a', 'ab', 'ab')), 50);
});

test('who had it is asked for the last time that he was seen with it', (t) => {
  const seen = samples('a', 'ab', 'b', '');
  t.is(lastHeldAt(seen, 'a'), 50n * MS);
  t.is(lastHeldAt(seen, 'b'), 100n * MS);
  t.is(lastHeldAt(seen, 'c'), null);
});

test('an address is compared in the form in which the kernel lists it', (t) => {
  t.is(asListed('198.18.7.2/24'), '198.18.7.2');
  t.is(asListed('fd75:6e64:a::9/64'), 'fd756e64000a00000000000000000009');
  t.is(asListed('::1'), '00000000000000000000000000000001');
});
