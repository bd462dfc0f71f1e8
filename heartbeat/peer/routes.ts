import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type ConsentWire,
  consentRequestSchema,
  exchangeSchema,
  type PeerState,
  type PeerStateWire,
  type PreparedWire,
  prepareRequestSchema,
  type SwitchOverAnswerWire,
  switchOverRequestSchema,
  type TestimonyWire,
  testimonyRequestSchema,
} from '@understudy/shared/protocol/peer';
import type { Log } from '@understudy/shared/runtime/log';
import { isSameSecret } from '@understudy/shared/runtime/secret';
import { doubtOf, nodeDoubtOf } from '@understudy/shared/runtime/tls/shown';
import type Koa from 'koa';
import type { z } from 'zod';
import { readBody } from '../http/body.ts';
import type { Held } from '../lease/port.ts';
import type { SwitchOverResult } from '../operator.ts';
import type { ConsentRefusal } from '../role/state.ts';
import { SIGNATURE_HEADER, sign } from './signature.ts';

export type ConsentAnswer =
  | { readonly forMs: number }
  | { readonly why: ConsentRefusal; readonly highestTerm: Term };

export interface PeerRoutesOptions {
  readonly pair: string;
  readonly node: string;
  readonly incarnation: string;
  readonly token: string;
  /** Whether a peer must show a certificate of the node that it says it is, beside the token. */
  readonly needsCertificate: boolean;
  readonly self: () => PeerStateWire;
  readonly onHeard: (state: PeerState) => void;
  /** Gives this node's word for that tenure: null when given, else why not. */
  readonly testify: (held: Held) => string | null;
  /** A message was refused and has changed nothing; `code` is that of the answer. */
  readonly onRefused?: (code: string) => void;
  /** Binds this node to stay passive for the holder: for how long, or why not. */
  readonly consent: (held: Held, forMs: number) => Promise<ConsentAnswer>;
  /** Gets ready to be handed the lease of `term`: null, or why not. */
  readonly prepare: (term: Term) => readonly string[] | null;
  readonly switchOver: (to: string | null) => Promise<SwitchOverResult>;
  readonly controllerUrl: string;
  readonly log: Log;
}

const BODY_LIMIT_BYTES = 65_536;
/** However much is wrong with a message, what is said of it stays short. */
const MOST_ISSUES = 10;

/**
 * The answering side of the peer link. Whoever has no token gets 401 before anything is read, and so does whoever has no
 * certificate where one is needed; whatever is malformed gets 400 and changes nothing; answers are signed over the
 * asker's nonce.
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
  let refused = 0;
  // The first, the tenth, the hundredth: who asks again and again must not fill a disk.
  const note = (what: string, from: string) => {
    refused += 1;
    if (Number.isInteger(Math.log10(refused))) options.log.warn(what, { from, times: refused });
  };
  return async (context, next) => {
    const answerTo = ROUTES.get(context.path);
    if (answerTo === undefined || context.method !== 'POST') return next();
    const given = /^Bearer (.+)$/.exec(context.get('authorization'))?.[1] ?? '';
    if (!isSameSecret(options.token, given)) {
      note('a peer with a wrong token was refused', context.ip);
      return refuse(context, 401, 'unauthorized', 'the token is not that of this pair');
    }
    const { pair, needsCertificate } = options;
    const doubt = needsCertificate ? nodeDoubtOf(context.req.socket, pair) : null;
    if (doubt !== null) {
      note(`a peer was refused: ${doubt.message}`, context.ip);
      return refuse(context, doubt.status, doubt.code, doubt.message);
    }
    const read = await readBody(context.req, BODY_LIMIT_BYTES);
    if (read === 'too-large') return refuse(context, 413, 'too-large', 'the body is too large');
    if (read === 'too-slow') return refuse(context, 408, 'too-slow', 'the body came too slowly');
    const body = read.text;
    return answerTo(context, body, options);
  };
}

type Answering = (
  context: Koa.Context,
  body: string,
  options: PeerRoutesOptions,
) => void | Promise<void>;

const ROUTES: ReadonlyMap<string, Answering> = new Map<string, Answering>([
  ['/peer/v1/exchange', exchange],
  ['/peer/v1/testimony', testimony],
  ['/peer/v1/consent', consent],
  ['/peer/v1/prepare', prepare],
  ['/peer/v1/switchover', switchOver],
]);

function exchange(context: Koa.Context, body: string, options: PeerRoutesOptions): void {
  const request = parse(context, exchangeSchema, body);
  if (request === null) return;
  const { nonce, state } = request;
  if (isOther(context, state, options)) return;
  options.onHeard(state);
  answer(context, nonce, options.self(), options);
}

function testimony(context: Koa.Context, body: string, options: PeerRoutesOptions): void {
  const request = parse(context, testimonyRequestSchema, body);
  if (request === null) return;
  const { nonce, term, node, incarnation } = request;
  if (isOther(context, request, options)) return;
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

async function consent(
  context: Koa.Context,
  body: string,
  options: PeerRoutesOptions,
): Promise<void> {
  const request = parse(context, consentRequestSchema, body);
  if (request === null || isOther(context, request, options)) return;
  const { nonce, term, incarnation, forMs } = request;
  const { node } = options;
  const given = await options.consent({ term, incarnation }, forMs);
  const said: ConsentWire =
    'forMs' in given
      ? { given: true, node, nonce, term: formatTerm(term), forMs: given.forMs }
      : {
          given: false,
          node,
          nonce,
          why: given.why,
          highestTerm: formatTerm(given.highestTerm),
        };
  answer(context, nonce, said, options);
}

function prepare(context: Koa.Context, body: string, options: PeerRoutesOptions): void {
  const request = parse(context, prepareRequestSchema, body);
  if (request === null || isOther(context, request, options)) return;
  const { node, incarnation, controllerUrl } = options;
  const { nonce } = request;
  const reasons = options.prepare(request.term);
  const said: PreparedWire =
    reasons === null
      ? { ready: true, node, nonce, incarnation, controllerUrl }
      : { ready: false, node, nonce, reasons: [...reasons] };
  answer(context, nonce, said, options);
}

async function switchOver(
  context: Koa.Context,
  body: string,
  options: PeerRoutesOptions,
): Promise<void> {
  const request = parse(context, switchOverRequestSchema, body);
  if (request === null || isOther(context, request, options)) return;
  const { nonce, node, to } = request;
  options.log.info('a peer asks for a switch-over', { peer: node, to });
  const result = await options.switchOver(to);
  const said: SwitchOverAnswerWire =
    result.kind === 'done'
      ? { ...result, nonce, term: formatTerm(result.term) }
      : { ...result, nonce };
  answer(context, nonce, said, options);
}

/** Refuses whoever belongs to another pair, calls himself by our own node id, or has the certificate of another node. */
function isOther(
  context: Koa.Context,
  from: { readonly pair: string; readonly node: string },
  { pair, node, needsCertificate }: PeerRoutesOptions,
): boolean {
  if (from.pair === pair && from.node !== node) {
    const member = { pair, kind: 'node', id: from.node } as const;
    const doubt = needsCertificate ? doubtOf(context.req.socket, member) : null;
    if (doubt !== null) refuse(context, doubt.status, doubt.code, doubt.message);
    return doubt !== null;
  }
  const message =
    from.pair === pair
      ? `the node id ${node} is already used by this node`
      : `this is a node of the pair ${pair}, not of ${from.pair}`;
  refuse(context, 409, 'other-pair', message);
  return true;
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
