import type { IncomingMessage } from 'node:http';
import { formatTerm } from '@understudy/shared/kernel/term';
import {
  exchangeSchema,
  type PeerState,
  type PeerStateWire,
  type TestimonyWire,
  testimonyRequestSchema,
} from '@understudy/shared/protocol/peer';
import type { Log } from '@understudy/shared/runtime/log';
import { isSameSecret } from '@understudy/shared/runtime/secret';
import type Koa from 'koa';
import type { z } from 'zod';
import type { Held } from '../lease/port.ts';
import { SIGNATURE_HEADER, sign } from './signature.ts';

export interface PeerRoutesOptions {
  readonly pair: string;
  readonly node: string;
  readonly incarnation: string;
  readonly token: string;
  readonly self: () => PeerStateWire;
  readonly onHeard: (state: PeerState) => void;
  /** Gives this node's word for that tenure: null when given, else why not. */
  readonly testify: (held: Held) => string | null;
  /** A message was refused and has changed nothing; `code` is that of the answer. */
  readonly onRefused?: (code: string) => void;
  readonly log: Log;
}

const BODY_LIMIT_BYTES = 65_536;
/** However much is wrong with a message, what is said of it stays short. */
const MOST_ISSUES = 10;
const BODY_TIMEOUT_MS = 2_000;

/**
 * The answering side of the peer link. Whoever has no token gets 401 before anything is read; whatever is
 * malformed gets 400 and changes nothing; answers are signed over the asker's nonce.
 */
export function makePeerRoutes(options: PeerRoutesOptions): Koa.Middleware {
  const answerPeer = answering(options);
  return async (context, next) => {
    if (!context.path.startsWith('/peer/')) return next();
    await answerPeer(context, next);
    if (context.status >= 400) options.onRefused?.(codeOf(context.body));
  };
}

function answering(options: PeerRoutesOptions): Koa.Middleware {
  let wrongTokens = 0;
  return async (context, next) => {
    const isKnown = context.path === '/peer/v1/exchange' || context.path === '/peer/v1/testimony';
    if (!isKnown || context.method !== 'POST') return next();
    const given = /^Bearer (.+)$/.exec(context.get('authorization'))?.[1] ?? '';
    if (!isSameSecret(options.token, given)) {
      wrongTokens += 1;
      // The first, the tenth, the hundredth: who asks again and again must not fill a disk.
      if (Number.isInteger(Math.log10(wrongTokens))) {
        options.log.warn('a peer with a wrong token was refused', {
          from: context.ip,
          times: wrongTokens,
        });
      }
      return refuse(context, 401, 'unauthorized', 'the token is not that of this pair');
    }
    const read = await readBody(context.req);
    if (read === 'too-large') return refuse(context, 413, 'too-large', 'the body is too large');
    if (read === 'too-slow') return refuse(context, 408, 'too-slow', 'the body came too slowly');
    const body = read.text;
    return context.path === '/peer/v1/exchange'
      ? exchange(context, body, options)
      : testimony(context, body, options);
  };
}

function exchange(context: Koa.Context, body: string, options: PeerRoutesOptions): void {
  const request = parse(context, exchangeSchema, body);
  if (request === null) return;
  const { nonce, state } = request;
  if (state.pair !== options.pair || state.node === options.node) {
    const message =
      state.pair === options.pair
        ? `the node id ${state.node} is already used by this node`
        : `this is a node of the pair ${options.pair}, not of ${state.pair}`;
    return refuse(context, 409, 'other-pair', message);
  }
  options.onHeard(state);
  answer(context, nonce, options.self(), options);
}

function testimony(context: Koa.Context, body: string, options: PeerRoutesOptions): void {
  const request = parse(context, testimonyRequestSchema, body);
  if (request === null) return;
  const { nonce, term, node, pair, incarnation } = request;
  if (pair !== options.pair) {
    return refuse(context, 409, 'other-pair', `this is a node of the pair ${options.pair}`);
  }
  const refusal = options.testify({ term, incarnation });
  const said: TestimonyWire =
    refusal === null
      ? {
          binding: true,
          node: options.node,
          incarnation: options.incarnation,
          term: formatTerm(term),
          nonce,
        }
      : { binding: false, node: options.node, reason: refusal };
  options.log.info('a peer asked for our word', { peer: node, term, given: said.binding });
  answer(context, nonce, said, options);
}

function parse<T extends z.ZodType>(
  context: Koa.Context,
  schema: T,
  body: string,
): z.output<T> | null {
  const json = parseJson(body);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  refuse(context, 400, 'bad-request', describe(parsed.error.issues));
  return null;
}

function describe(issues: readonly z.core.$ZodIssue[]): string {
  const more = issues.length > MOST_ISSUES ? [`and ${issues.length - MOST_ISSUES} more`] : [];
  return [...issues.slice(0, MOST_ISSUES).map(describeIssue), ...more].join('; ');
}

function describeIssue(issue: z.core.$ZodIssue): string {
  return `${issue.path.join('.') || 'body'}: ${issue.message}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the schema says so to the asker.
    return undefined;
  }
}

function answer(
  context: Koa.Context,
  nonce: string,
  facts: object,
  options: PeerRoutesOptions,
): void {
  const body = JSON.stringify(facts);
  context.set(SIGNATURE_HEADER, sign(options.token, nonce, body));
  context.type = 'application/json';
  context.body = body;
}

function refuse(context: Koa.Context, status: number, code: string, message: string): void {
  context.status = status;
  context.set('connection', 'close');
  context.body = { error: { code, message } };
}

function codeOf(body: unknown): string {
  return (body as { error?: { code?: string } } | undefined)?.error?.code ?? 'not-found';
}

type Unread = 'too-large' | 'too-slow';

/** Reads a small body within a time limit. The connection is left open, so that a refusal can be answered. */
async function readBody(request: IncomingMessage): Promise<{ text: string } | Unread> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (read: { text: string } | Unread) => {
      clearTimeout(timer);
      request.off('data', take);
      resolve(read);
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_LIMIT_BYTES) return finish('too-large');
      chunks.push(chunk);
    };
    const timer = setTimeout(() => finish('too-slow'), BODY_TIMEOUT_MS);
    request.on('data', take);
    request.once('end', () => finish({ text: Buffer.concat(chunks).toString('utf8') }));
    // The asker broke off: there is nobody to answer.
    request.once('error', () => finish('too-slow'));
  });
}
