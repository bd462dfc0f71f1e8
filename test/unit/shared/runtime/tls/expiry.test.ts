import type { Certificate } from '@understudy/shared/runtime/tls/certificate';
import {
  describeExpiry,
  expiringSoon,
  isWarningDue,
  WARN_BEFORE_MS,
} from '@understudy/shared/runtime/tls/expiry';
import test from 'ava';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2030-01-01T00:00:00Z');

function certificate(subject: string, leftMs: number, issuer = 'CN=ours'): Certificate {
  const rest = {
    members: [],
    names: '',
    fromMs: 0,
    serial: '01',
    fingerprint: '',
    isAuthority: false,
    uses: [],
  };
  return { subject, issuer, untilMs: NOW + leftMs, ...rest };
}

test('I5: a certificate is warned of when less than 21 days are left, and not before', (t) => {
  const authorities = [certificate('CN=ours', 1_000 * DAY_MS)];
  const at = (leftMs: number) =>
    expiringSoon({ certificate: certificate('CN=a', leftMs), authorities }, NOW);
  t.deepEqual(at(WARN_BEFORE_MS), []);
  t.deepEqual(
    at(WARN_BEFORE_MS - 1).map(({ what }) => what),
    ['certificate'],
  );
  t.is(WARN_BEFORE_MS, 21 * DAY_MS);
});

test('I5: of several authorities the one counts that has signed the certificate', (t) => {
  const authorities = [certificate('CN=old', DAY_MS), certificate('CN=ours', 30 * DAY_MS)];
  const own = certificate('CN=a', 30 * DAY_MS);
  t.deepEqual(expiringSoon({ certificate: own, authorities }, NOW), []);
  const late = expiringSoon({ certificate: own, authorities }, NOW + 10 * DAY_MS);
  t.deepEqual(
    late.map(({ what }) => what),
    ['certificate', 'authority'],
  );
});

test('A warning is due once a day, and again when the clock was set back', (t) => {
  t.true(isWarningDue(null, NOW));
  t.false(isWarningDue(NOW, NOW + DAY_MS - 1));
  t.true(isWarningDue(NOW, NOW + DAY_MS));
  t.true(isWarningDue(NOW, NOW - 1));
});

test('An expiry says the day, and what follows when it is past', (t) => {
  const expiry = { what: 'certificate', untilMs: NOW } as const;
  t.is(
    describeExpiry({ ...expiry, leftMs: 1.5 * DAY_MS }),
    'the certificate of this host expires in 1 day, on 2030-01-01T00:00:00.000Z',
  );
  t.regex(describeExpiry({ ...expiry, leftMs: -1 }), /has expired on .*: others refuse/);
});
