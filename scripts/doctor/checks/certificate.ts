import type { NodeTlsConfig, TlsConfig } from '@understudy/shared/runtime/config/types';
import { describeExpiry, expiriesOf, WARN_BEFORE_MS } from '@understudy/shared/runtime/tls/expiry';
import { readMaterial } from '@understudy/shared/runtime/tls/files';
import type { Member } from '@understudy/shared/runtime/tls/member';
import { type Check, type Finding, ok, problem, warning } from '../finding.ts';

/** What this host shows to others over TLS, and how long they accept it. None where TLS is not configured. */
export function certificateChecks(
  tls: TlsConfig | NodeTlsConfig | null,
  self: Member,
): readonly Check[] {
  return tls === null ? [] : [{ name: 'certificate', look: () => judge(tls, self) }];
}

function judge(tls: TlsConfig | NodeTlsConfig, self: Member): readonly Finding[] {
  const read = readMaterial(tls, self);
  if (read.type === 'bad') {
    return [problem('certificate', read.problem, 'make one: understudy cert --help')];
  }
  const findings = expiriesOf(read.material, Date.now()).map((expiry) => {
    const text = describeExpiry(expiry);
    const advice = 'replace it: understudy cert --help';
    if (expiry.leftMs < 0) return problem('certificate', text, advice);
    if (expiry.leftMs < WARN_BEFORE_MS) return warning('certificate', text, advice);
    return ok('certificate', text);
  });
  return 'plain' in tls && tls.plain === 'accept' ? [...findings, PLAIN] : findings;
}

const PLAIN = warning(
  'certificate',
  'tls.plain accepts plain HTTP beside TLS: tokens may travel as they are, and need no certificate',
  'remove it once every URL of the pair, its agents and its users begins with https://',
);
