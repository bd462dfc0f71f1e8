import { randomUUID } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { formatTerm } from '@understudy/shared/kernel/term';
import {
  consentSchema,
  type PeerState,
  type Prepared,
  peerStateSchema,
  prepareSchema,
  switchOverAnswerSchema,
  testimonySchema,
} from '@understudy/shared/protocol/peer';
import { messageOf } from '@understudy/shared/runtime/errors';
import { isSecureUrl } from '@understudy/shared/runtime/tls/connect';
import { doubtOf } from '@understudy/shared/runtime/tls/shown';
import { type AxiosInstance, isCancel } from 'axios';
import type { z } from 'zod';
import type { Held } from '../lease/port.ts';
import type { SwitchOverResult } from '../operator.ts';
import { NOT_ASKED, type PeersOptions, type PeerView } from './client.ts';
import { isSignedBy, SIGNATURE_HEADER } from './signature.ts';

/** In turns of asking: a peer that asked within the first, and answered within the second, is fresh. */
const ASKED_WITHIN = 1.5;
const ANSWERED_WITHIN = 5;
const SWITCH_OVER_WITHIN_MS = 15_000;

/** The asking side towards one peer. Every call has a time limit; nothing here throws. */
export class PeerLink {
  view: PeerView;
  readonly #http: AxiosInstance;
  readonly #options: PeersOptions;
  #exchanging: Promise<void> | null = null;
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

  /** Tells the peer how we are, and hears how it is; one that is under way is not begun again. */
  exchange(): Promise<void> {
    this.#exchanging ??= this.#exchange().finally(() => {
      this.#exchanging = null;
    });
    return this.#exchanging;
  }

  async #exchange(): Promise<void> {
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

  /** Asks the peer to stay passive for `forMs`; it may first try to write to the store itself. */
  async askConsent({ term, incarnation }: Held, forMs: number): Promise<void> {
    const { pair, node, log, clock, timeoutMs } = this.#options;
    const peer = this.view.url;
    const sentAt = clock.monotonicMs();
    try {
      const said = await this.#askChecked('/peer/v1/consent', consentSchema, 2 * timeoutMs, {
        pair,
        node,
        term: formatTerm(term),
        incarnation,
        forMs,
      });
      this.#options.onConsent(
        said.given
          ? { kind: 'consent-given', peer, term: said.term, sentAt, forMs: said.forMs }
          : {
              kind: 'consent-refused',
              peer,
              term,
              sentAt,
              why: said.why,
              highestTerm: said.highestTerm,
            },
      );
    } catch (error) {
      log.warn('a peer could not be asked to stay passive', { peer, error: messageOf(error) });
    }
  }

  /** Announces a hand-over. Null: it could not be asked. */
  async prepare({ term, incarnation }: Held): Promise<Prepared | { readonly error: string }> {
    const { pair, node, timeoutMs } = this.#options;
    const request = { pair, node, term: formatTerm(term), incarnation };
    try {
      return await this.#askChecked('/peer/v1/prepare', prepareSchema, 2 * timeoutMs, request);
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /** Asks the active peer to hand its role over. */
  async askSwitchOver(to: string | null): Promise<SwitchOverResult> {
    const { pair, node } = this.#options;
    try {
      const request = { pair, node, to };
      return await this.#askChecked(
        '/peer/v1/switchover',
        switchOverAnswerSchema,
        SWITCH_OVER_WITHIN_MS,
        request,
      );
    } catch (error) {
      return { kind: 'refused', why: 'failed', reason: `${this.view.url}: ${messageOf(error)}` };
    }
  }

  /** As `#ask`, and the answer must repeat our nonce. */
  async #askChecked<T extends z.ZodType<{ readonly nonce: string }>>(
    path: string,
    schema: T,
    timeoutMs: number,
    request: object,
  ): Promise<z.output<T>> {
    let sentNonce = '';
    const make = (nonce: string) => {
      sentNonce = nonce;
      return { ...request, nonce };
    };
    const answer = schema.parse(await this.#ask(path, make, timeoutMs));
    if (answer.nonce !== sentNonce) throw new Error('it answered another question');
    return answer;
  }

  /** Posts, and returns the answer's JSON once its signature for our nonce was checked. */
  async #ask(
    path: string,
    body: (nonce: string) => unknown,
    timeoutMs = this.#options.timeoutMs,
  ): Promise<unknown> {
    const nonce = randomUUID();
    const limits = { timeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs) };
    const response = await this.#http
      .post<string>(this.view.url + path, JSON.stringify(body(nonce)), limits)
      .catch((error: unknown) => {
        throw isCancel(error) ? new Error(`no answer within ${timeoutMs} ms`) : error;
      });
    const isOfCertificate = response.data.includes('certificate-needed');
    if (response.status === 401 && !isOfCertificate) throw new Error('it refuses our token (401)');
    if (response.status !== 200) {
      throw new Error(`it answered ${response.status}: ${String(response.data).slice(0, 200)}`);
    }
    const signature = String(response.headers[SIGNATURE_HEADER] ?? '');
    if (!isSignedBy(this.#options.token, nonce, response.data, signature)) {
      this.#options.onRefused?.('not-signed');
      throw new Error('its answer is not signed with our token');
    }
    const answer: unknown = JSON.parse(response.data);
    this.#checkSpeaker(response.request, answer);
    return answer;
  }

  /** An answer that names a node must come from that node. */
  #checkSpeaker({ socket }: ClientRequest, answer: unknown): void {
    const { pair, credentials } = this.#options;
    const { node } = answer as { readonly node?: unknown };
    const isSecure = isSecureUrl(this.view.url, credentials);
    if (!isSecure || socket === null || typeof node !== 'string') return;
    const doubt = doubtOf(socket, { pair, kind: 'node', id: node });
    if (doubt !== null) throw new Error(`it answers for node ${node}: ${doubt.message}`);
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
