import { formatDurationMs } from '@understudy/shared/kernel/duration';
import { WARN_BEFORE_MS } from '@understudy/shared/runtime/tls/expiry';
import type { HeartbeatStatus } from '../client/heartbeat-status.ts';

const DAY_MS = 86_400_000;

/** What an operator must not overlook: failsafe, a pause with the time that is left of it, certificates that end soon, plain HTTP beside TLS. */
export function warningsOf(statuses: readonly HeartbeatStatus[]): readonly string[] {
  const failsafe = statuses.filter((status) => status.failsafe === true);
  const paused = statuses.filter((status) => status.paused === true);
  return [
    ...failsafe.map(
      ({ node }) =>
        `!!! FAILSAFE: ${node} can not reach the database and is active by the consent of its peers alone. ` +
        'Nobody else can take over, and nothing can be committed, until the database is back.',
    ),
    ...(paused.length === 0 ? [] : [pauseLine(paused)]),
    ...statuses.flatMap(certificateLines),
  ];
}

function certificateLines({ node, certificate }: HeartbeatStatus): string[] {
  if (certificate === null || certificate === undefined) return [];
  const { expiresInMs, expiresAt, authorityExpiresInMs, authorityExpiresAt, problem } = certificate;
  const { plainAccepted } = certificate;
  return [
    ...expiryLines(`the certificate of ${node}`, expiresInMs, expiresAt),
    ...expiryLines(`the authority that ${node} trusts`, authorityExpiresInMs, authorityExpiresAt),
    ...(problem === null ? [] : [`the new certificate of ${node} is not used: ${problem}`]),
    ...(plainAccepted
      ? [
          `${node} accepts plain HTTP beside TLS (tls.plain): end that once the change to TLS is over`,
        ]
      : []),
  ];
}

function expiryLines(what: string, leftMs: number, at: string): string[] {
  if (leftMs >= WARN_BEFORE_MS) return [];
  if (leftMs < 0) return [`!!! ${what} has expired on ${at}: new connections are refused`];
  return [`${what} expires in ${Math.floor(leftMs / DAY_MS)} days, on ${at}`];
}

function pauseLine(paused: readonly HeartbeatStatus[]): string {
  const leftMs = Math.max(...paused.map((status) => status.pausedForMs ?? 0));
  const left = leftMs > 0 ? ` for another ${showLeft(leftMs)}` : '';
  return `PAUSED${left}: no automatic change of roles. \`understudy resume\` ends it now.`;
}

/** In the unit that fits: a pause of half an hour is not told in milliseconds. */
export function showLeft(ms: number): string {
  const unit = ms >= 120_000 ? 60_000 : 1_000;
  return formatDurationMs(Math.max(unit, Math.round(ms / unit) * unit));
}
