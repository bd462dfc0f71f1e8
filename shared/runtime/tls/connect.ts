import { X509Certificate } from 'node:crypto';
import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, type PeerCertificate, type SecureContext, TLSSocket } from 'node:tls';
import { describeCertificate } from './certificate.ts';
import { describeMembers, membersIn } from './member.ts';
import type { Revoked } from './revoked.ts';
import { rememberShown, type Shown, shownOn } from './shown.ts';

/** What is shown to servers, and by which they are judged; it may change. */
export interface ClientCredentials {
  readonly current: { readonly context: SecureContext; readonly revoked: Revoked };
  readonly version: number;
  /** Whether a URL in plain HTTP will do as well. */
  readonly acceptsPlain: boolean;
  /** Closes a connection once what was shown on it is revoked. */
  watch(socket: Duplex): void;
}

/** Whether a URL leads to TLS. Where plain HTTP is not accepted there is nothing else. */
export function isSecureUrl(url: string, credentials: ClientCredentials | null): boolean {
  if (credentials === null) return false;
  return !credentials.acceptsPlain || new URL(url).protocol === 'https:';
}

export interface NodeAgentOptions extends AgentOptions {
  readonly credentials: ClientCredentials;
  readonly pair: string;
}

/**
 * Connections to nodes of a pair, which prove that they are. They are kept and their sessions used again, so that a
 * handshake is rare; what was made before the own certificate was replaced is used no more.
 */
export class NodeAgent extends Agent {
  readonly #credentials: ClientCredentials;
  readonly #pair: string;
  readonly #shown = new Map<string, Shown>();

  constructor({ credentials, pair, ...options }: NodeAgentOptions) {
    super(options);
    this.#credentials = credentials;
    this.#pair = pair;
  }

  override getName(options?: RequestOptions): string {
    return `${super.getName(options)}:${this.#credentials.version}`;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const secure = secureOptions(this.#credentials, this.#pair);
    const socket = super.createConnection({ ...options, ...secure }, callback);
    if (socket instanceof TLSSocket) this.#noteShown(socket, this.getName(options));
    return socket;
  }

  /**
   * What was shown is looked at at once, for a closed connection tells it no more. On a session that is used again
   * nothing is shown to the side that asks: what counts is what was shown when the session began.
   */
  #noteShown(socket: TLSSocket, name: string): void {
    socket.once('secureConnect', () => {
      const before = this.#shown.get(name);
      if (socket.isSessionReused() && before !== undefined) rememberShown(socket, before);
      else this.#shown.set(name, shownOn(socket));
      this.#credentials.watch(socket);
    });
  }
}

/** How to connect to a node of the pair. */
export function secureOptions(credentials: Pick<ClientCredentials, 'current'>, pair: string) {
  return {
    secureContext: credentials.current.context,
    rejectUnauthorized: true,
    checkServerIdentity: (host: string, certificate: PeerCertificate) =>
      checkServerIdentity(host, certificate) ??
      revocationFault(certificate, credentials.current.revoked) ??
      nodeFault(certificate, pair),
  };
}

/** The name that a server is asked to prove: an address is none. */
export function serverNameOf(host: string): string {
  return isIP(host) === 0 ? host : '';
}

function revocationFault({ raw }: PeerCertificate, revoked: Revoked): Error | undefined {
  const isRevoked = revoked.count > 0 && revoked.has(describeCertificate(new X509Certificate(raw)));
  return isRevoked ? new Error('its certificate has been revoked') : undefined;
}

/** The name of its host alone proves nothing: an agent of the pair may run there, with a certificate of its own. */
function nodeFault({ subjectaltname }: PeerCertificate, pair: string): Error | undefined {
  const members = membersIn(subjectaltname ?? '');
  if (members.some((member) => member.kind === 'node' && member.pair === pair)) return undefined;
  return new Error(
    `its certificate is made for ${describeMembers(members)}; expected a node of the pair ${pair}`,
  );
}
