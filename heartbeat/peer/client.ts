import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type PeerState,
  type PeerStateWire,
  peerStateSchema,
  testimonySchema,
} from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import axios, { type AxiosInstance } from 'axios';
import type { Held } from '../lease/port.ts';
import { isSignedBy, SIGNATURE_HEADER } from './signature.ts';

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
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly self: () => PeerStateWire;
  /** Whether a peer that asks us often enough need not be asked as well: one side's asking tells both. */
  readonly mayLeaveItToPeer: () => boolean;
  readonly onHeard: (state: PeerState) => void;
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
  /** Exchanges with all peers now, without waiting for the next turn. */
  exchangeNow(): void;
}

/** The `error` of a peer that was not asked since the start. */
export const NOT_ASKED = 'not asked yet';

/** In turns of asking: a peer that asked within the first, and answered within the second, is fresh. */
const ASKED_WITHIN = 1.5;
const ANSWERED_WITHIN = 5;

export function makePeers(options: PeersOptions): Peers {
  const http = axios.create({
    httpAgent: new Agent({ keepAlive: true, maxSockets: 4 }),
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
  const exchangeNow = () => {
    for (const link of links) void link.exchange();
  };
  const exchangeWhereDue = () => {
    const isLeft = options.mayLeaveItToPeer();
    for (const link of links) if (!(isLeft && link.isFresh)) void link.exchange();
  };
  return {
    start: () => {
      exchangeNow();
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
    exchangeNow,
  };
}

class PeerLink {
  view: PeerView;
  readonly #http: AxiosInstance;
  readonly #options: PeersOptions;
  #exchanging = false;
  #askedUsAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(url: string, http: AxiosInstance, options: PeersOptions) {
    this.view = { url, state: null, heardAt: null, error: NOT_ASKED };
    this.#http = http;
    this.#options = options;
  }

  /** Whether the peer asked us lately, and answered us not long ago. */
  get isFresh(): boolean {
    const now = this.#options.clock.monotonicMs();
    const { everyMs } = this.#options;
    const isAsking = now - this.#askedUsAt < ASKED_WITHIN * everyMs;
    return (
      isAsking && this.view.error === null && now - this.#answeredAt < ANSWERED_WITHIN * everyMs
    );
  }

  heard(state: PeerState): void {
    if (this.view.state?.node !== state.node) return;
    this.#askedUsAt = this.#options.clock.monotonicMs();
    this.view = { ...this.view, state, heardAt: this.#askedUsAt };
  }

  async exchange(): Promise<void> {
    if (this.#exchanging) return;
    this.#exchanging = true;
    try {
      const answer = await this.#ask('/peer/v1/exchange', (nonce) => ({
        nonce,
        state: this.#options.self(),
      }));
      const state = peerStateSchema.parse(answer);
      this.#checkIdentity(state);
      this.#heard(state);
    } catch (error) {
      this.#failed(messageOf(error));
    } finally {
      this.#exchanging = false;
    }
  }

  async askTestimony({ term, incarnation }: Held): Promise<void> {
    const { pair, node, log } = this.#options;
    try {
      let sentNonce = '';
      const answer = await this.#ask('/peer/v1/testimony', (nonce) => {
        sentNonce = nonce;
        return { pair, node, nonce, term: formatTerm(term), incarnation };
      });
      const testimony = testimonySchema.parse(answer);
      if (!testimony.binding) {
        log.debug('a peer does not give its word', { peer: this.view.url, ...testimony });
      } else if (testimony.nonce === sentNonce && testimony.term >= term) {
        log.info('a peer gave its word', { peer: testimony.node, term: testimony.term });
        this.#options.onTestimony(testimony.node, term);
      }
    } catch (error) {
      log.debug('a peer could not be asked for its word', {
        peer: this.view.url,
        error: messageOf(error),
      });
    }
  }

  /** Posts, and returns the answer's JSON once its signature for our nonce was checked. */
  async #ask(path: string, body: (nonce: string) => unknown): Promise<unknown> {
    const nonce = randomUUID();
    const response = await this.#http.post<string>(
      this.view.url + path,
      JSON.stringify(body(nonce)),
      { signal: AbortSignal.timeout(this.#options.timeoutMs) },
    );
    if (response.status === 401) throw new Error('it refuses our token (401)');
    if (response.status !== 200) {
      throw new Error(`it answered ${response.status}: ${String(response.data).slice(0, 200)}`);
    }
    const signature = String(response.headers[SIGNATURE_HEADER] ?? '');
    if (!isSignedBy(this.#options.token, nonce, response.data, signature)) {
      this.#options.onRefused?.('not-signed');
      throw new Error('its answer is not signed with our token');
    }
    return JSON.parse(response.data);
  }

  #checkIdentity(state: PeerState): void {
    const { pair, node } = this.#options;
    if (state.pair !== pair)
      throw new Error(`it belongs to the pair ${state.pair}, not to ${pair}`);
    if (state.node === node) throw new Error(`it has our own node id, ${node}`);
  }

  #heard(state: PeerState): void {
    if (this.view.error !== null) {
      this.#options.log.info('the peer answers', {
        peer: state.node,
        url: this.view.url,
      });
    }
    const heardAt = this.#options.clock.monotonicMs();
    this.#answeredAt = heardAt;
    this.view = { url: this.view.url, state, heardAt, error: null };
    this.#options.onHeard(state);
  }

  #failed(error: string): void {
    if (this.view.error !== error) {
      this.#options.log.warn('the peer does not answer', { peer: this.view.url, error });
    }
    this.view = { ...this.view, error };
  }
}
