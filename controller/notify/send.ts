import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { messageOf } from '@understudy/shared/runtime/errors';

export interface SendOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For all of it: to connect, to send, and to hear the status. */
  readonly timeoutMs: number;
}

/** What one try came to. */
export type Sent =
  | { readonly type: 'answered'; readonly status: number }
  | { readonly type: 'failed'; readonly problem: string };

export type Send = (options: SendOptions) => Promise<Sent>;

/**
 * Posts a body on a connection of its own. Redirects are answers like any other: who may be told was
 * configured. Of the answer only the status is looked at. Never rejects.
 */
export const send: Send = (options) =>
  new Promise<Sent>((resolve, reject) => {
    const { url, body, timeoutMs } = options;
    const open = new URL(url).protocol === 'https:' ? overHttps : overHttp;
    const headers = { ...options.headers, 'Content-Length': `${Buffer.byteLength(body)}` };
    const request = open(url, { method: 'POST', agent: false, headers }, (response) => {
      clearTimeout(limit);
      resolve({ type: 'answered', status: response.statusCode ?? 0 });
      response.destroy();
    });
    const limit = setTimeout(() => {
      request.destroy(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    request.on('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    request.end(body);
  }).catch((error: unknown) => ({ type: 'failed', problem: messageOf(error) }));
