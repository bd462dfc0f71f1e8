import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type {
  AgentConfig,
  ControllerHostConfig,
  NodeTlsConfig,
  TlsConfig,
} from '../config/types.ts';
import { describeExpiry, expiringSoon } from './expiry.ts';
import { readMaterial } from './files.ts';
import type { Material } from './material.ts';
import type { Member } from './member.ts';
import { isOpenToOthers } from './plain.ts';

/** Something wrong with the certificate of a host, or with its absence. */
export interface CertificateProblem {
  /** The setting or the thing that it is about. */
  readonly what: string;
  readonly problem: string;
  /** What an operator can do about it. */
  readonly advice: string;
}

export type TlsHost =
  | Pick<ControllerHostConfig, 'pair' | 'node' | 'tls' | 'heartbeat' | 'controller'>
  | Pick<AgentConfig, 'pair' | 'agent' | 'tls' | 'controllers'>;

/**
 * What is wrong with the certificate of a host at this moment (`now`, milliseconds since 1970), as far as it can be seen
 * from there: it can't be used, it names other hosts than its URLs do, it ends soon, or there is none and what travels
 * over the network is not encrypted. Reads the files; never throws.
 */
export function certificateProblems(host: TlsHost, now: number): CertificateProblem[] {
  const { tls } = host;
  if (tls === null) return plainProblems(host);
  const self = selfOf(host);
  const read = readMaterial(tls, self);
  const command = `understudy cert ${self.kind} ${self.id}`;
  if (read.type === 'bad') {
    const advice = `mend the file, or make another one: \`${command}\``;
    return [{ what: 'tls', problem: read.problem, advice }];
  }
  const { material } = read;
  return [
    ...nameProblems(host, material, command),
    ...acceptedProblems(tls),
    ...staleProblems(material, now),
    ...notYetProblems(material, now),
    ...expiringSoon(material, now).map((expiry) => ({
      what: expiry.what === 'certificate' ? 'tls.cert' : 'tls.ca',
      problem: describeExpiry(expiry),
      advice:
        expiry.what === 'certificate'
          ? `replace it while everything runs: \`${command} --force\``
          : 'make another authority, add it to tls.ca everywhere, then replace all certificates',
    })),
  ];
}

function selfOf(host: TlsHost): Member {
  const { pair } = host;
  return 'node' in host
    ? { pair, kind: 'node', id: host.node }
    : { pair, kind: 'agent', id: host.agent };
}

/** Others look for the host of the URL among the names of the certificate. */
function nameProblems(host: TlsHost, material: Material, command: string): CertificateProblem[] {
  if (!('node' in host)) return [];
  const own = new X509Certificate(material.cert);
  const urls = { 'heartbeat.url': host.heartbeat.url, 'controller.url': host.controller.url };
  return Object.entries(urls).flatMap(([key, url]) => {
    const { hostname, protocol } = new URL(url);
    const name = hostname.replace(/^\[|\]$/g, '');
    const isNamed = (isIP(name) === 0 ? own.checkHost(name) : own.checkIP(name)) !== undefined;
    if (isNamed || protocol !== 'https:') return [];
    const problem = `does not name ${name}, the host of ${key}: others refuse what they reach there`;
    return [{ what: 'tls.cert', problem, advice: `\`${command} --host ${name} --force\`` }];
  });
}

/** It is meant for the days of a change, and forgotten easily. */
function acceptedProblems(tls: TlsConfig | NodeTlsConfig): CertificateProblem[] {
  if (!('plain' in tls) || tls.plain === 'refuse') return [];
  const problem =
    'plain HTTP is accepted beside TLS: tokens may travel as they are, and need no certificate';
  const advice =
    'remove it once every URL of the pair, its agents and its users begins with https://';
  return [{ what: 'tls.plain', problem, advice }];
}

/** It counts on, but who has been revoked since is not in it. */
function staleProblems({ revoked: { nextMs } }: Material, now: number): CertificateProblem[] {
  if (nextMs === null || now <= nextMs) return [];
  const problem = `its authority was to write another list by ${new Date(nextMs).toISOString()}: who was revoked since is not in it`;
  return [{ what: 'tls.crl', problem, advice: 'fetch the newest list of that authority' }];
}

function notYetProblems({ certificate }: Material, now: number): CertificateProblem[] {
  if (now >= certificate.fromMs) return [];
  const problem = `is not valid before ${new Date(certificate.fromMs).toISOString()}`;
  return [{ what: 'tls.cert', problem, advice: 'look at the clock of this host' }];
}

function plainProblems(host: TlsHost): CertificateProblem[] {
  const advice = 'set tls; `understudy cert` makes certificates';
  return openEnds(host).map(([what, where]) => {
    return {
      what,
      problem: `what travels there is not encrypted, the token too: ${where}`,
      advice,
    };
  });
}

/** What can be reached, or is reached, from beyond this host. */
function openEnds(host: TlsHost): [what: string, where: string][] {
  if (!('node' in host)) {
    const open = host.controllers.filter((url) => isOpenToOthers(new URL(url).hostname));
    return open.map((url) => ['controllers', url]);
  }
  const isWrapped = host.controller.command.length > 0;
  return [
    ['heartbeat.listen', host.heartbeat.listen] as const,
    ...(isWrapped ? [] : [['controller.listen', host.controller.listen] as const]),
  ].flatMap(([what, listen]) =>
    isOpenToOthers(listen.host) ? [[what, `${listen.host}:${listen.port}`]] : [],
  );
}
