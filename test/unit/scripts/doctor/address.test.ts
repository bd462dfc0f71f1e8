import { addressChecks } from '@understudy/scripts/doctor/checks/address';
import test from 'ava';

test('a virtual address on an interface that is not there is a problem with its advice', async (t) => {
  const address = {
    address: '10.0.0.10',
    prefix: 24,
    family: 4,
    interface: 'no-such-link',
  } as const;
  const [check] = addressChecks([address]);
  const findings = (await check?.look(AbortSignal.timeout(10_000))) ?? [];
  const found = findings.find(({ text }) => text.includes('no-such-link'));
  t.like(found, { check: 'virtual address', level: 'problem' });
  t.regex(found?.advice ?? '', /set vip to one of this host: /);
});

test('without a virtual address nothing is looked for', (t) => {
  t.deepEqual(addressChecks([]), []);
});
