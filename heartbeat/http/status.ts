import type { WorstCase } from '@understudy/shared/kernel/promise';
import { formatTerm } from '@understudy/shared/kernel/term';
import type { MeasuredView } from '@understudy/shared/protocol/events';
import type { ControllerHostConfig, Timers } from '@understudy/shared/runtime/config/types';
import { version } from '@understudy/shared/runtime/version';
import type { VipView } from '../address/view.ts';
import type { LastDemotion } from '../driver.ts';
import type { PeerView } from '../peer/client.ts';
import type { PhaseName, Role, RoleOptions, RoleState } from '../role/state.ts';
import { failsafeSince, isServing, roleOf, tenureOf, whyNotReady } from '../role/view.ts';
import type { CertificateView } from '../tls/certificate-watch.ts';

/** What `GET /status` answers: the pair as this node sees it, from memory. Terms are strings. */
export interface StatusView {
  readonly pair: string;
  readonly node: string;
  readonly incarnation: string;
  readonly role: Role;
  readonly phase: PhaseName | 'starting';
  /** Of the lease as this node last saw it; null before it saw one. */
  readonly term: string | null;
  readonly active: { readonly node: string; readonly url: string } | null;
  readonly leaseRemainingMs: number | null;
  readonly controller: {
    readonly state: string;
    readonly pid: number | null;
    readonly url: string;
  };
  readonly ready: boolean;
  readonly notReady: readonly string[];
  readonly failsafe: boolean;
  readonly paused: boolean;
  /** What is left of the pause, as this node counts it. */
  readonly pausedForMs: number | null;
  readonly peers: readonly PeerStatus[];
  readonly disagreements: readonly string[];
  /** Null: no virtual address is configured. */
  readonly vip: VipView | null;
  readonly version: string;
  readonly pid: number;
  readonly timings: Timers;
  /** The worst case by the settings, per kind of failure. */
  readonly promise: readonly WorstCase[];
  /** What fail-overs and switch-overs really took. */
  readonly measured: readonly MeasuredView[];
  /** Null: plain HTTP. */
  readonly certificate: CertificateView | null;
  readonly lastDemotion: (Omit<LastDemotion, 'term'> & { readonly term: string }) | null;
}

export interface PeerStatus {
  readonly url: string;
  readonly node: string | null;
  readonly reachable: boolean;
  readonly error: string | null;
  readonly heardAgoMs: number | null;
  readonly role: Role | null;
  readonly phase: string | null;
  readonly term: string | null;
  readonly ready: boolean | null;
}

export interface StatusSources {
  readonly config: ControllerHostConfig;
  readonly incarnation: string;
  /** Null while the heartbeat is still starting; then `starting` says what it waits for. */
  readonly role: RoleState | null;
  readonly roleOptions: RoleOptions;
  readonly startingBecause: string;
  readonly controllerPid: number | null;
  readonly peers: readonly PeerView[];
  readonly lastDemotion: LastDemotion | null;
  /** That a peer uses another database; null when none does. */
  readonly storeDisagreement: string | null;
  readonly vip: VipView | null;
  readonly promise: readonly WorstCase[];
  readonly measured: readonly MeasuredView[];
  readonly certificate: CertificateView | null;
  readonly nowMs: number;
}

/** Puts the status together from what is in memory. */
export function viewStatus(sources: StatusSources): StatusView {
  const { config, role, nowMs, peers, lastDemotion } = sources;
  const notReady =
    role === null ? [sources.startingBecause] : whyNotReady(role, sources.roleOptions);
  const term = role === null ? null : (tenureOf(role)?.term ?? role.watch.row?.term ?? null);
  const roleName = role === null ? 'passive' : roleOf(role);
  return {
    pair: config.pair,
    node: config.node,
    incarnation: sources.incarnation,
    role: roleName,
    phase: role === null ? 'starting' : role.phase.name,
    term: term === null ? null : formatTerm(term),
    active: findActive(sources),
    leaseRemainingMs: leaseRemainingMs(role, sources.roleOptions, nowMs),
    controller: {
      state: role?.controller ?? 'none',
      pid: sources.controllerPid,
      url: config.controller.url,
    },
    ready: roleName === 'passive' && notReady.length === 0,
    notReady: roleName === 'passive' ? notReady : [],
    failsafe: role !== null && failsafeSince(role) !== null,
    paused: role !== null && role.pausedUntil > nowMs,
    pausedForMs:
      role !== null && role.pausedUntil > nowMs ? clampMs(role.pausedUntil - nowMs) : null,
    peers: peers.map((peer) => viewPeer(peer, nowMs)),
    disagreements: [
      ...(sources.storeDisagreement === null ? [] : [sources.storeDisagreement]),
      ...findDisagreements(config, peers),
    ],
    vip: sources.vip,
    version,
    pid: process.pid,
    timings: config.timers,
    promise: sources.promise,
    measured: sources.measured,
    certificate: sources.certificate,
    lastDemotion:
      lastDemotion === null ? null : { ...lastDemotion, term: formatTerm(lastDemotion.term) },
  };
}

function findActive({ config, role, nowMs, peers }: StatusSources): StatusView['active'] {
  if (role !== null && isServing(role, nowMs)) {
    return { node: config.node, url: config.controller.url };
  }
  const serving = peers.find(
    (peer) =>
      peer.error === null && peer.state?.role === 'active' && peer.state.phase === 'serving',
  );
  const state = serving?.state ?? null;
  return state === null ? null : { node: state.node, url: state.controllerUrl };
}

function leaseRemainingMs(
  role: RoleState | null,
  options: RoleOptions,
  nowMs: number,
): number | null {
  if (role === null) return null;
  const tenure = tenureOf(role);
  if (tenure !== null) return clampMs(tenure.trustedUntil + options.marginMs - nowMs);
  const { row, changedAt } = role.watch;
  if (row === null || row.holder === null || row.released) return null;
  return clampMs(changedAt + row.ttlMs - nowMs);
}

function clampMs(ms: number): number {
  return Math.max(0, Math.round(ms));
}

function viewPeer(peer: PeerView, nowMs: number): PeerStatus {
  const { state } = peer;
  return {
    url: peer.url,
    node: state?.node ?? null,
    reachable: peer.error === null,
    error: peer.error,
    heardAgoMs: peer.heardAt === null ? null : clampMs(nowMs - peer.heardAt),
    role: state?.role ?? null,
    phase: state?.phase ?? null,
    term: state === null || state.term === null ? null : formatTerm(state.term),
    ready: state?.ready ?? null,
  };
}

function findDisagreements(
  config: ControllerHostConfig,
  peers: readonly PeerView[],
): readonly string[] {
  return peers.flatMap(({ state, url }) => {
    if (state === null) return [];
    const found: string[] = [];
    if (state.version !== version) {
      found.push(`${state.node} runs version ${state.version}, this node ${version}`);
    }
    if (state.ttlMs !== config.timers.ttlMs) {
      found.push(
        `${state.node} has a lease time of ${state.ttlMs} ms, this node ${config.timers.ttlMs} ms`,
      );
    }
    if (state.url !== url) {
      found.push(`${state.node} calls itself ${state.url}, this node reaches it as ${url}`);
    }
    return found;
  });
}
