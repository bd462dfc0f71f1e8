import { Agent } from 'node:http';
import type { Term } from '@understudy/shared/kernel/term';
import type { PeerState, PeerStateWire } from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import { type ClientCredentials, NodeAgent } from '@understudy/shared/runtime/tls/connect';
import axios from 'axios';
import type { Held } from '../lease/port.ts';
import type { RoleEvent } from '../role/state.ts';
import { PeerLink } from './link.ts';

/** How a peer looks from here. */
export interface PeerView {
  readonly url: string;
  /** What it last said of itself; null when it never answered. */
  readonly state: PeerState | null;
  /** Monotonic milliseconds of the last answer; null when it never answered. */
  readonly heardAt: number | null;
  /** Why the last exchange failed; null when it did not. */
  readonly error: string | null;
}

export interface PeersOptions {
  readonly urls: readonly string[];
  readonly pair: string;
  readonly node: string;
  readonly token: string;
  /** What is shown to peers, and by which they are judged; null: plain HTTP. */
  readonly credentials: ClientCredentials | null;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly self: () => PeerStateWire;
  /** Whether a peer that asks us often enough need not be asked as well: one side's asking tells both. */
  readonly mayLeaveItToPeer: () => boolean;
  readonly onHeard: (state: PeerState) => void;
  readonly onConsent: (
    event: Extract<RoleEvent, { kind: 'consent-given' | 'consent-refused' }>,
  ) => void;
  readonly onTestimony: (node: string, term: Term) => void;
  /** An answer was refused and has changed nothing. */
  readonly onRefused?: (reason: 'not-signed') => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The asking side of the peer link. Every call has a time limit; nothing here throws. */
export interface Peers {
  start(): void;
  stop(): void;
  views(): readonly PeerView[];
  /** A peer asked us, and said how it is. */
  heard(state: PeerState): void;
  /** Asks all peers for their word; what they give arrives at `onTestimony`. */
  askTestimony(held: Held): void;
  /** Asks all peers to stay passive for so long; what they say arrives at `onConsent`. */
  askConsent(held: Held, forMs: number): void;
  /** Exchanges with all peers now, without waiting for the next turn; resolves when all is said, never rejects. */
  exchangeNow(): Promise<void>;
  /** The asking side towards the peer of that node; undefined when none is known by that name. */
  linkTo(node: string): PeerLink | undefined;
}

/**
 * A connection that was idle for so long is closed on this side: the other side keeps it longer, and closes none on
 * which a question is just under way.
 */
const IDLE_MS = 5_000;

/** The `error` of a peer that was not asked since the start. */
export const NOT_ASKED = 'not asked yet';

export function makePeers(options: PeersOptions): Peers {
  const { credentials, pair } = options;
  const kept = { keepAlive: true, maxSockets: 4, timeout: IDLE_MS };
  const http = axios.create({
    httpAgent: new Agent(kept),
    ...(credentials === null ? {} : { httpsAgent: new NodeAgent({ ...kept, credentials, pair }) }),
    timeout: options.timeoutMs,
    maxRedirects: 0,
    maxContentLength: 65_536,
    proxy: false,
    responseType: 'text',
    transformResponse: (body: unknown) => body,
    validateStatus: () => true,
    headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
  });
  const links = options.urls.map((url) => new PeerLink(url, http, options));
  let timer: NodeJS.Timeout | null = null;
  const exchangeNow = async () => {
    await Promise.all(links.map((link) => link.exchange()));
  };
  const exchangeWhereDue = () => {
    const isLeft = options.mayLeaveItToPeer();
    for (const link of links) if (!(isLeft && link.isFresh)) void link.exchange();
  };
  return {
    start: () => {
      timer = setInterval(exchangeWhereDue, options.everyMs);
    },
    stop: () => {
      if (timer !== null) clearInterval(timer);
    },
    views: () => links.map((link) => link.view),
    heard: (state) => {
      for (const link of links) link.heard(state);
    },
    askTestimony: (held) => {
      for (const link of links) void link.askTestimony(held);
    },
    askConsent: (held, forMs) => {
      for (const link of links) void link.askConsent(held, forMs);
    },
    linkTo: (node) => links.find(({ view }) => view.state?.node === node),
    exchangeNow,
  };
}
