import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { timeLimit } from '@understudy/shared/runtime/time-limit';

/** Who answers at the users' address. */
export interface Answerer {
  readonly node: string;
  readonly term: string;
}

export interface Move {
  readonly from: Answerer | null;
  readonly to: Answerer;
  /** From the first sign of trouble to the first answer under the new term. */
  readonly interruptedMs: number;
}

export interface WatchOptions {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly onMove: (move: Move) => void;
}

const EVERY_MS = 100;
const EVERY_WHILE_DOWN_MS = 5;
const PROBE_TIMEOUT_MS = 1_000;

/**
 * Asks for the page at the users' address and tells when another term answers, and how long nobody did. The
 * page, and not `/readyz`: a controller that only forwards says no to that, though users are served.
 * Beside asking it holds an idle connection: that one breaks in the instant in which the controller
 * dies, so that the interruption is measured from there and not from the next question.
 */
export async function watchMoves({ host, port, signal, onMove }: WatchOptions): Promise<void> {
  let last: Answerer | null = null;
  let downSince: number | null = null;
  // A question that hung was asked before the connection broke, and is known to have failed after it.
  const noteDown = (at: number) => {
    downSince = Math.min(at, downSince ?? at);
  };
  let idle = holdConnection(host, port, signal, noteDown);
  while (!signal.aborted) {
    const askedAt = performance.now();
    const answerer = await probe(host, port, signal);
    if (answerer === null) {
      noteDown(askedAt);
      await delay(EVERY_WHILE_DOWN_MS);
      continue;
    }
    if (answerer.term !== last?.term) {
      const interruptedMs = Math.round(performance.now() - (downSince ?? askedAt));
      onMove({ from: last, to: answerer, interruptedMs });
      last = answerer;
    }
    downSince = null;
    if (!idle.isOpen()) idle = holdConnection(host, port, signal, noteDown);
    await delay(EVERY_MS, null, { signal }).catch(() => undefined);
  }
}

function holdConnection(
  host: string,
  port: number,
  signal: AbortSignal,
  onBroken: (at: number) => void,
): { isOpen(): boolean } {
  const socket = connect({ host, port });
  // By hand, because a socket that is given the signal goes on listening to it after its end.
  const end = () => socket.destroy();
  signal.addEventListener('abort', end);
  socket.resume();
  socket.on('error', () => undefined);
  socket.on('close', () => {
    signal.removeEventListener('abort', end);
    if (!signal.aborted) onBroken(performance.now());
  });
  return { isOpen: () => !socket.destroyed };
}

function probe(host: string, port: number, signal: AbortSignal): Promise<Answerer | null> {
  return new Promise((resolve) => {
    const limit = timeLimit(PROBE_TIMEOUT_MS, signal);
    const request = get({ host, port, path: '/', agent: false, signal: limit.signal });
    request.on('close', () => limit.end());
    request.on('error', () => resolve(null));
    request.on('response', (response) => {
      response.resume();
      response.on('error', () => resolve(null));
      response.on('end', () => resolve(answererOf(response)));
    });
  });
}

function answererOf(response: IncomingMessage): Answerer | null {
  const { 'understudy-node': node, 'understudy-term': term } = response.headers;
  const isGood =
    response.statusCode === 200 && typeof node === 'string' && typeof term === 'string';
  return isGood ? { node, term } : null;
}
