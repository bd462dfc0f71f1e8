import test from 'ava';
import { growthFaults, type Sample } from '../../support/invariants/resources.ts';

const limits = { memoryGrowthBytes: 10e6, descriptorGrowth: 5 };

const samples = (memoryAt: (index: number) => number, descriptorsAt: (index: number) => number) =>
  Array.from(
    { length: 80 },
    (_, index): Sample => ({
      process: 'heartbeat a',
      memoryBytes: memoryAt(index),
      descriptors: descriptorsAt(index),
    }),
  );

test('I15 accepts a process that warms up, saws and peaks', (t) => {
  const memory = (index: number) =>
    Math.min(index, 8) * 10e6 + (index % 3) * 2e6 + (index === 70 ? 80e6 : 0);
  t.deepEqual(
    growthFaults(
      samples(memory, () => 30),
      limits,
    ),
    [],
  );
});

test('I15 accepts connections of requests that wait while the database is slow, and are gone after it', (t) => {
  const slow = samples(
    () => 80e6,
    (index) => (index > 60 && index < 78 ? 90 : 30),
  );
  t.deepEqual(growthFaults(slow, limits), []);
});

test('I15 refuses memory that grows all the time', (t) => {
  const found = growthFaults(
    samples(
      (index) => 80e6 + index * 1e6,
      () => 30,
    ),
    limits,
  );
  t.is(found.length, 1);
  t.regex(found[0] ?? '', /memory of heartbeat a grew by 40 MB/);
});

test('I15 refuses descriptors that are never given back', (t) => {
  t.is(
    growthFaults(
      samples(
        () => 80e6,
        (index) => 30 + index,
      ),
      limits,
    ).length,
    1,
  );
});

test('I15 says nothing of a process that was hardly seen', (t) => {
  const few = samples(
    (index) => index * 100e6,
    () => 30,
  ).slice(0, 40);
  t.deepEqual(growthFaults(few, limits), []);
});

test('I15 compares a process that became active with itself as active', (t) => {
  const as = (process: string, from: number, perSample: number) =>
    samples(
      () => 80e6,
      (index) => from + index * perSample,
    ).map((sample) => ({ ...sample, process }));
  const passive = as('host a standing by, process 1', 26, 0);
  const [name, level, growing] = ['host a serving, process 1', 55, 1];
  t.deepEqual(growthFaults([...passive, ...as(name, level, 0)], limits), []);
  const found = growthFaults([...passive, ...as(name, level, growing)], limits);
  t.is(found.length, 1);
  t.regex(found[0] ?? '', /host a serving/);
});
