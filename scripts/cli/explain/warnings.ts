import { formatDurationMs } from '@understudy/shared/kernel/duration';
import type { HeartbeatStatus } from '../client/heartbeat-status.ts';

/** What an operator must not overlook: failsafe, and a pause with the time that is left of it. */
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
  ];
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
