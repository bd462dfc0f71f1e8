import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorityPaths, memberPaths } from '@understudy/scripts/cert/folder';
import {
  hostsIn,
  makeAuthorityFiles,
  makeMemberFiles,
  readCertificate,
} from '@understudy/scripts/cert/make';
import { judgeMaterial } from '@understudy/shared/runtime/tls/material';
import { certificateProblems } from '@understudy/shared/runtime/tls/problems';
import test, { type ExecutionContext } from 'ava';

const DAY_MS = 86_400_000;
const NOW = Date.now();
const a = { pair: 'orders', kind: 'node', id: 'a' } as const;
const w1 = { pair: 'orders', kind: 'agent', id: 'w1' } as const;

function optionsIn(t: ExecutionContext, more: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-cert-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, days: 100, isForced: false, nowMs: NOW, ...more };
}

function textsOf(folder: string, member: typeof a | typeof w1) {
  const { certificate, key } = memberPaths(folder, member);
  const authority = authorityPaths(folder);
  return {
    ...{ cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') },
    ca: readFileSync(authority.certificate, 'utf8'),
    crl: readFileSync(authority.revoked, 'utf8'),
  };
}

test('I5: what the authority makes for a node and an agent fits them, and nobody else', async (t) => {
  const options = optionsIn(t);
  await makeAuthorityFiles('orders', options);
  await makeMemberFiles(a, ['10.0.0.11', 'hb.example'], options);
  await makeMemberFiles(w1, [], options);
  const [ofNode, ofAgent] = [textsOf(options.folder, a), textsOf(options.folder, w1)];
  t.is(judgeMaterial(ofNode, a).type, 'good');
  t.is(judgeMaterial(ofAgent, w1).type, 'good');
  for (const [texts, self, problem] of [
    [ofNode, { ...a, id: 'b' }, /made for node a of the pair orders; expected .*orders\/node\/b/],
    [ofNode, { ...a, pair: 'x' }, /expected the URI understudy:\/\/x\/node\/a/],
    [ofAgent, { ...w1, kind: 'node' }, /made for agent w1/],
    [{ ...ofNode, key: ofAgent.key }, a, /tls.key is not the key of the certificate/],
    [{ ...ofNode, key: 'x' }, a, /tls.key can't be used/],
    [{ ...ofNode, cert: '' }, a, /tls.cert holds no certificate/],
    [{ ...ofNode, crl: ofNode.cert }, a, /tls.crl can't be used: it holds no list of revoked/],
    [{ ...ofNode, ca: ofNode.cert }, a, /not signed by an authority in tls.ca/],
  ] as const) {
    const judged = judgeMaterial(texts, self);
    t.regex(judged.type === 'bad' ? judged.problem : 'good', problem);
  }
});

test('I5: keys can be read by their owner alone, and nothing is overwritten unless that is wanted', async (t) => {
  const options = optionsIn(t);
  const { paths } = await makeAuthorityFiles('orders', options);
  const { paths: own } = await makeMemberFiles(a, ['h'], options);
  for (const { key } of [paths, own]) t.is(statSync(key).mode & 0o777, 0o600);
  const before = readFileSync(own.key, 'utf8');
  await t.throwsAsync(makeAuthorityFiles('orders', options), { message: /exist.*--force/ });
  await t.throwsAsync(makeMemberFiles(a, ['h'], options), { message: /exist.*--force/ });
  t.is(readFileSync(own.key, 'utf8'), before);
  const made = await makeMemberFiles(a, [], { ...options, isForced: true });
  t.not(readFileSync(own.key, 'utf8'), before);
  t.deepEqual(hostsIn(made.certificate), ['h'], 'the hosts are those of before');
});

test('A certificate does not outlive its authority, and an authority that is past makes none', async (t) => {
  const options = optionsIn(t, { days: 10 });
  const { certificate } = await makeAuthorityFiles('orders', options);
  const made = await makeMemberFiles(a, ['h'], { ...options, days: 397 });
  t.is(made.certificate.untilMs, certificate.untilMs);
  const later = { ...options, isForced: true, nowMs: NOW + 11 * DAY_MS };
  await t.throwsAsync(makeMemberFiles(a, ['h'], later), { message: /has expired/ });
});

test('What can not be made is refused with what is expected', async (t) => {
  const options = optionsIn(t);
  await t.throwsAsync(makeMemberFiles(a, ['h'], options), { message: /cert authority` makes one/ });
  const { paths } = await makeAuthorityFiles('orders', options);
  await t.throwsAsync(makeMemberFiles(a, [], options), { message: /--host is missing/ });
  for (const host of ['http://h', 'h:7400', 'a b', 'x,URI:y', '']) {
    await t.throwsAsync(makeMemberFiles(a, [host], options), { message: /--host holds/ });
  }
  chmodSync(paths.key, 0o644);
  await t.throwsAsync(makeMemberFiles(a, ['h'], options), { message: /chmod 600/ });
  t.throws(() => readCertificate(paths.key), { message: /holds no certificate/ });
});

test('What is wrong with the certificate of a host is told with advice', async (t) => {
  const options = optionsIn(t);
  await makeAuthorityFiles('orders', { ...options, days: 1_000 });
  await makeMemberFiles(a, ['10.0.0.11'], options);
  const { certificate: cert, key } = memberPaths(options.folder, a);
  const listen = { host: '0.0.0.0', port: 7_400 };
  const host = {
    ...{ pair: 'orders', node: 'a' },
    tls: { cert, key, ca: authorityPaths(options.folder).certificate, crl: null },
    heartbeat: { listen, url: 'https://10.0.0.11:7400', peers: [] },
    controller: { listen, url: 'https://10.0.0.11:7300', command: [] },
  } as unknown as Parameters<typeof certificateProblems>[0];
  t.deepEqual(certificateProblems(host, NOW), []);
  const soon = certificateProblems(host, NOW + 90 * DAY_MS);
  t.like(soon, [
    {
      what: 'tls.cert',
      advice: 'replace it while everything runs: `understudy cert node a --force`',
    },
  ]);
  t.like(certificateProblems({ ...host, pair: 'x' }, NOW), [{ what: 'tls' }]);
  const elsewhere = { url: 'https://10.0.0.99:7400', listen, peers: [] };
  t.regex(
    certificateProblems({ ...host, heartbeat: elsewhere } as typeof host, NOW)[0]?.problem ?? '',
    /does not name 10.0.0.99, the host of heartbeat.url/,
  );
  const both = { ...host, tls: { ...host.tls, plain: 'accept' } } as typeof host;
  t.like(certificateProblems(both, NOW), [{ what: 'tls.plain' }]);
  const plain = certificateProblems({ ...host, tls: null }, NOW);
  t.deepEqual(
    plain.map(({ what }) => what),
    ['heartbeat.listen', 'controller.listen'],
  );
});
