import { nameSchema } from '@understudy/shared/protocol/api';
import { controllerHostKeys } from '@understudy/shared/runtime/config/keys';
import { resolveKeys } from '@understudy/shared/runtime/config/resolve';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Certificate } from '@understudy/shared/runtime/tls/certificate';
import { describeMembers, type Member } from '@understudy/shared/runtime/tls/member';
import type { Command } from 'commander';
import type { Made, MakeOptions } from '../../cert/make.ts';
import { sourcesFor } from '../context.ts';
import { print, printJson, table } from '../output.ts';

interface Given {
  readonly pair?: string;
  readonly folder: string;
  readonly days: string;
  readonly host?: readonly string[];
  readonly force?: true;
  readonly json?: true;
}

const AUTHORITY_DAYS = '3650';
/** A little more than a year, so that it can be replaced on the same day of each year. */
const MEMBER_DAYS = '397';
const MOST_DAYS = 36_500;
const DAY_MS = 86_400_000;

/** `cert`: a small authority for those who have none, and what stands in a certificate. */
export function addCertCommand(program: Command): void {
  const cert = program
    .command('cert')
    .description('certificates for tls: authority, node, agent, revoke, show');
  withFolder(cert.command('authority'), AUTHORITY_DAYS)
    .description(
      'make the authority of a pair: ca.pem and ca.crl, which every host gets, and ca.key, which none gets',
    )
    .action(async (given: Given, command: Command) => {
      const { makeAuthorityFiles } = await import('../../cert/make.ts');
      const made = await makeAuthorityFiles(pairOf(given, command), optionsOf(given));
      if (given.json) return printJson({ ...made.paths, ...viewOf(made.certificate) });
      print(`made ${made.paths.certificate} and ${made.paths.key}, ${untilOf(made)}`);
      print('keep the key where no node and no agent is: whoever has it can pass for all of them');
    });
  for (const kind of ['node', 'agent'] as const) {
    withFolder(cert.command(`${kind} <id>`), MEMBER_DAYS)
      .description(`make the key and the certificate of ${kind === 'node' ? 'a node' : 'an agent'}`)
      .option(
        '--host <name...>',
        'names and addresses by which it is reached (default: those of the certificate that is replaced)',
      )
      .action(async (id: string, given: Given, command: Command) => {
        const { makeMemberFiles } = await import('../../cert/make.ts');
        const member: Member = {
          pair: pairOf(given, command),
          kind,
          id: nameOf(id, `the id of the ${kind}`),
        };
        const made = await makeMemberFiles(member, given.host ?? [], optionsOf(given));
        if (given.json) return printJson({ ...made.paths, ...viewOf(made.certificate) });
        print(`made ${made.paths.certificate} and ${made.paths.key}, ${untilOf(made)}`);
        print(
          'with ca.pem and ca.crl they are what its configuration needs: tls: { cert: ..., key: ..., ca: ..., crl: ... }',
        );
      });
  }
  cert
    .command('revoke <certificate...>')
    .description(
      'shut out whoever has that key: adds certificates, by file or serial number, to ca.crl, which goes to every host',
    )
    .option('--folder <path>', 'where the files of the authority are', '.')
    .option('--json', 'as JSON')
    .action(async (named: string[], { folder, json }: Given) => {
      const { revokeCertificates } = await import('../../cert/revoke.ts');
      const { path, added, count } = await revokeCertificates(named, {
        folder,
        nowMs: Date.now(),
      });
      if (json) return printJson({ path, added, count });
      print(`wrote ${path}: ${added.length} more, ${count} in all`);
      print(
        'copy it to where tls.crl of each host says: it counts within seconds, without a restart',
      );
    });
  cert
    .command('show <file>')
    .description('what stands in a certificate')
    .option('--json', 'as JSON')
    .action(async (file: string, options: { json?: true }) => {
      const { readCertificate } = await import('../../cert/make.ts');
      const certificate = readCertificate(file);
      if (options.json) return printJson(viewOf(certificate));
      print(table(['WHAT', 'VALUE'], rowsOf(certificate)));
    });
}

function withFolder(command: Command, days: string): Command {
  return command
    .option('--pair <name>', 'the name of the pair (default: as the configuration says)')
    .option('--folder <path>', 'where the files are', '.')
    .option('--days <number>', 'how long it is good', days)
    .option('--force', 'replace files that are there')
    .option('--json', 'as JSON');
}

function optionsOf({ folder, days, force }: Given): MakeOptions {
  const number = /^\d{1,5}$/.test(days) ? Number(days) : 0;
  if (number < 1 || number > MOST_DAYS) {
    throw new UserError(`--days holds "${days}"; expected a whole number from 1 to ${MOST_DAYS}`);
  }
  return { folder, days: number, isForced: force === true, nowMs: Date.now() };
}

/** A configuration need not be complete for this, nor be there at all. */
function pairOf({ pair }: Given, command: Command): string {
  const found = pair ?? resolveKeys(sourcesFor(command), controllerHostKeys).values.pair;
  if (found !== undefined) return nameOf(found, '--pair');
  throw new UserError('--pair is missing, and no configuration names a pair');
}

function nameOf(text: string, what: string): string {
  if (nameSchema.safeParse(text).success) return text;
  throw new UserError(
    `${what} holds "${text}"; expected 1 to 128 letters, digits, dots, dashes, underscores, beginning with a letter or digit`,
  );
}

function untilOf({ certificate }: Made): string {
  return `good until ${new Date(certificate.untilMs).toISOString()}`;
}

function viewOf(certificate: Certificate) {
  const { fromMs, untilMs, ...rest } = certificate;
  return {
    ...rest,
    from: new Date(fromMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    daysLeft: daysLeft(certificate),
  };
}

function rowsOf(certificate: Certificate): [string, string][] {
  const { subject, issuer, from, until, serial, fingerprint, names } = viewOf(certificate);
  const left = daysLeft(certificate);
  return [
    ['made for', certificate.isAuthority ? 'an authority' : describeMembers(certificate.members)],
    ['subject', subject],
    ['issuer', issuer],
    ['names', names === '' ? '-' : names],
    ['good from', from],
    ['good until', `${until} (${left < 0 ? 'it has expired' : `${left} days left`})`],
    ['serial number', serial],
    ['fingerprint', fingerprint],
  ];
}

function daysLeft({ untilMs }: Certificate): number {
  return Math.floor((untilMs - Date.now()) / DAY_MS);
}
