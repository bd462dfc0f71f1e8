import type { ControllerHostConfig, Timers } from '@understudy/shared/runtime/config/types';
import { version } from '@understudy/shared/runtime/version';
import axios from 'axios';
import { z } from 'zod';
import { callHeartbeat } from '../../cli/client/heartbeat-api.ts';
import { type Check, type Finding, ok, problem, warning } from '../finding.ts';

const WITHIN_MS = 3_000;
/** A header tells the time in whole seconds. */
const CLOCK_TOLERANCE_MS = 2_500;

const peerSchema = z.object({
  pair: z.string(),
  node: z.string(),
  version: z.string(),
  timings: z.record(z.string(), z.number()),
});
export type PeerFacts = z.infer<typeof peerSchema>;

/** The other controller hosts: reachable, of the same pair, with the same token, version and timers. */
export function peersCheck(config: ControllerHostConfig): Check {
  return {
    name: 'peers',
    look: async () =>
      (await Promise.all(config.heartbeat.peers.map((url) => ask(url, config)))).flat(),
  };
}

async function ask(url: string, config: ControllerHostConfig): Promise<readonly Finding[]> {
  const request = { method: 'GET', timeoutMs: WITHIN_MS } as const;
  const { token } = config;
  const status = await callHeartbeat(url, token, peerSchema, { ...request, path: '/status' });
  const check = `peer ${url}`;
  if (status.kind !== 'answered') {
    const text = status.kind === 'silent' ? status.why : status.reason;
    const advice = 'start the heartbeat there, and let port 7400 through in both directions';
    return [problem(check, text, advice)];
  }
  const asked = await callHeartbeat(url, token, z.unknown(), {
    ...{ ...request, path: '/events', query: { limit: 1 } },
  });
  const isTokenRefused = asked.kind === 'refused' && asked.status === 401;
  return [...judgePeer(check, status.body, config, isTokenRefused), await compareClocks(url)];
}

/** What a peer says of itself, held against our own configuration. */
export function judgePeer(
  check: string,
  peer: PeerFacts,
  config: Pick<ControllerHostConfig, 'pair' | 'node' | 'timers'>,
  isTokenRefused: boolean,
): readonly Finding[] {
  const { pair, node, timers } = config;
  if (peer.pair !== pair) {
    const text = `belongs to pair ${peer.pair}, not to ${pair}`;
    return [problem(check, text, 'correct pair, or heartbeat.peers')];
  }
  if (peer.node === node) {
    const text = `has the id of this host, ${node}`;
    return [
      problem(check, text, 'give each controller host its own node, and not its own URL as a peer'),
    ];
  }
  if (isTokenRefused) {
    return [problem(check, 'refuses our token', 'set the same token on all hosts of the pair')];
  }
  const found: Finding[] = [];
  if (peer.version !== version) {
    const text = `runs version ${peer.version}, this host ${version}`;
    found.push(warning(check, text, 'install the same version on both'));
  }
  const other = differentTimers(timers, peer.timings);
  if (other.length > 0) {
    const text = `has other timers: ${other.join(', ')}`;
    found.push(warning(check, text, 'set the same failover.target and lease.* on both'));
  }
  return found.length > 0
    ? found
    : [ok(check, `${peer.node}, same pair, token, version and timers`)];
}

function differentTimers(own: Timers, others: PeerFacts['timings']): string[] {
  return Object.entries(own).flatMap(([name, value]) =>
    others[name] === undefined || others[name] === value
      ? []
      : [`${name} ${others[name]} there, ${value} here`],
  );
}

async function compareClocks(url: string): Promise<Finding> {
  const check = `clock of ${url}`;
  const before = Date.now();
  const response = await axios.head(`${url}/live`, {
    ...{ proxy: false, maxRedirects: 0, validateStatus: () => true },
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const here = (before + Date.now()) / 2;
  // The header leaves out what is less than a second.
  const there = Date.parse(String(response.headers['date'] ?? '')) + 500;
  const offsetMs = Math.round(there - here);
  if (Number.isNaN(offsetMs)) return warning(check, 'is not told', 'look at it by hand');
  if (Math.abs(offsetMs) <= CLOCK_TOLERANCE_MS)
    return ok(check, 'is that of this host, to seconds');
  const text = `differs by ${offsetMs} ms`;
  return warning(check, text, 'synchronise both hosts by NTP: schedules follow their clocks');
}
