import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';
import { createSecureContext, rootCertificates } from 'node:tls';

export interface ProberOptions {
  /** Each is asked all the time; whichever answers, users are served. */
  readonly urls: readonly URL[];
  readonly token: string;
  /** Accepted beside the authorities that everybody accepts; null: none. */
  readonly ca: string | null;
}

/** What the prober saw since `begin`. */
export interface Observed {
  /** The longest time without a good answer, up to now. */
  readonly longestSilenceMs: number;
  readonly answered: number;
  /** Requests that got no good answer. Where a passive's closed port is asked too, most of them do. */
  readonly failed: number;
}

export interface Prober {
  begin(): void;
  observed(): Observed;
  stop(): void;
}

/** So often each URL is asked: 100 times a second. */
const EVERY_MS = 10;
const TIMEOUT_MS = 5_000;

/**
 * Asks like users do, each time over a connection of its own and without waiting for the requests before:
 * one that hangs does not stop the asking. What counts is when good answers arrive.
 */
export function startProber({ urls, token, ca }: ProberOptions): Prober {
  // Made once: to read so many certificates for each connection would take longer than what is measured.
  const secureContext = ca === null ? null : createSecureContext({ ca: [...rootCertificates, ca] });
  let lastAnswerAt = performance.now();
  let longestMs = 0;
  let answered = 0;
  let failed = 0;
  const succeed = () => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - lastAnswerAt);
    lastAnswerAt = now;
    answered += 1;
  };
  const ask = (url: URL) => {
    let isOver = false;
    const finish = (isGood: boolean) => {
      if (isOver) return;
      isOver = true;
      if (isGood) succeed();
      else failed += 1;
    };
    const asked = (url.protocol === 'https:' ? getSecure : getPlain)(url, {
      agent: false,
      ...(secureContext === null ? {} : { secureContext }),
      headers: { Authorization: `Bearer ${token}`, Connection: 'close' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    asked.on('error', () => finish(false));
    asked.on('response', (response) => {
      response.on('error', () => finish(false));
      response.on('end', () => {
        const { statusCode = 500, complete } = response;
        finish(statusCode >= 200 && statusCode < 300 && complete);
      });
      response.resume();
    });
  };
  const timer = setInterval(() => urls.forEach(ask), EVERY_MS);
  return {
    begin: () => {
      lastAnswerAt = performance.now();
      longestMs = 0;
      answered = 0;
      failed = 0;
    },
    observed: () => ({
      longestSilenceMs: Math.max(longestMs, performance.now() - lastAnswerAt),
      answered,
      failed,
    }),
    stop: () => clearInterval(timer),
  };
}
