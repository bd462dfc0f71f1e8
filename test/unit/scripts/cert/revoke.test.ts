import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorityPaths, memberPaths } from '@understudy/scripts/cert/folder';
import { makeAuthorityFiles, makeMemberFiles } from '@understudy/scripts/cert/make';
import { revokeCertificates } from '@understudy/scripts/cert/revoke';
import { describeCertificate } from '@understudy/shared/runtime/tls/certificate';
import { revokedIn } from '@understudy/shared/runtime/tls/revoked';
import test, { type ExecutionContext } from 'ava';

const NOW = Date.parse('2030-01-01T00:00:00Z');

async function stage(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-revoke-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const options = { folder, days: 100, isForced: false, nowMs: NOW };
  await makeAuthorityFiles('orders', options);
  const paths = await Promise.all(
    ['w1', 'w2'].map(async (id) => {
      const member = { pair: 'orders', kind: 'agent', id } as const;
      await makeMemberFiles(member, [], options);
      return memberPaths(folder, member).certificate;
    }),
  );
  const [one = '', two = ''] = paths;
  return { options, one, two };
}

const certificateIn = (path: string) => new X509Certificate(readFileSync(path));

/** What the list in a folder revokes, as a process of the pair reads it. */
function revokedBy(folder: string) {
  const { certificate, revoked } = authorityPaths(folder);
  const read = revokedIn(readFileSync(revoked, 'utf8'), [certificateIn(certificate)]);
  return { ...read, hasFile: (path: string) => read.has(describeCertificate(certificateIn(path))) };
}

test('I5: the list of a new authority is empty', async (t) => {
  const { options, one } = await stage(t);
  const revoked = revokedBy(options.folder);
  t.is(revoked.count, 0);
  t.is(revoked.nextMs, null, 'nobody has to renew it');
  t.false(revoked.hasFile(one));
});

test('I5: a certificate is revoked by its file or its serial number, and stays revoked', async (t) => {
  const { options, one, two } = await stage(t);
  const { serialNumber } = certificateIn(two);
  t.like(await revokeCertificates([one], options), { added: [certificateIn(one).serialNumber] });
  t.false(revokedBy(options.folder).hasFile(two));
  const named = serialNumber.toLowerCase().replace(/(..)(?=.)/g, '$1:');
  t.like(await revokeCertificates([named], options), { added: [serialNumber], count: 2 });
  t.like(await revokeCertificates([one, two], options), { added: [], count: 2 });
  const revoked = revokedBy(options.folder);
  t.true(revoked.hasFile(one) && revoked.hasFile(two));
});

test('I5: what this authority has not signed it can not revoke', async (t) => {
  const { options } = await stage(t);
  const other = await stage(t);
  const folder = `${other.options.folder}/other`;
  await t.throwsAsync(revokeCertificates(['/nothing/there.pem'], options), {
    message: /neither the file of a certificate nor a serial number/,
  });
  await t.throwsAsync(revokeCertificates([other.one], { ...options, folder }), {
    message: /there is no authority in/,
  });
  const { certificate } = authorityPaths(other.options.folder);
  const list = readFileSync(authorityPaths(options.folder).revoked, 'utf8');
  t.throws(() => revokedIn(list, [certificateIn(certificate)]), {
    message: /not signed by an authority in tls.ca/,
  });
});

test('I5: a list that was changed, cut off, or is none is not read', async (t) => {
  const { options, one } = await stage(t);
  await revokeCertificates([one], options);
  const { certificate, revoked } = authorityPaths(options.folder);
  const authorities = [certificateIn(certificate)];
  const pem = readFileSync(revoked, 'utf8');
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----/g, ''), 'base64');
  const asPem = (bytes: Buffer) =>
    `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----\n`;
  t.notThrows(() => revokedIn(asPem(der), authorities));
  for (let at = 0; at < der.length; at += 1) {
    const changed = Buffer.from(der);
    changed.writeUInt8(changed.readUInt8(at) ^ 0x01, at);
    t.throws(() => revokedIn(asPem(changed), authorities), undefined, `changed at ${at}`);
    t.throws(() => revokedIn(asPem(der.subarray(0, at)), authorities), undefined, `cut at ${at}`);
  }
  t.throws(() => revokedIn('', authorities), { message: /holds no list/ });
  writeFileSync(revoked, 'nothing');
  await t.throwsAsync(revokeCertificates([], options), {
    message: /can't be read as a list of revoked certificates/,
  });
});
