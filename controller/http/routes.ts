import Router, { type RouterContext } from '@koa/router';
import type { z } from 'zod';
import type { By, NewAudit } from '../security/audit.ts';
import { mayDo, type Need } from '../security/roles.ts';
import { Refusal, type RefusalCode } from '../work/refusal.ts';
import { admissionOf, callerOf } from './admission.ts';
import { addressOf } from './denied.ts';
import { bodyOf, check } from './input.ts';

/** What is answered with one status: JSON of this form, else bytes of a type, else nothing. */
export interface AnswerSpec {
  /** In words. */
  readonly what: string;
  readonly body?: z.ZodType;
  readonly type?: string;
}

/** What a route is, besides its handler. The document of the API is made from it, and input checked by it. */
export interface RouteSpec<Q extends z.ZodObject = z.ZodObject, B extends z.ZodType = z.ZodType> {
  /** One sentence. */
  readonly summary: string;
  /** The role that it needs. */
  readonly needs: Need;
  /** What it changes, as the audit trail names it, like `job.apply`; left out where it changes nothing. */
  readonly audited?: string;
  readonly query?: Q;
  readonly body?: B;
  /** Nothing of the body is repeated, whatever is wrong with it. */
  readonly isSecret?: boolean;
  /** The body, with what the path says about it. */
  readonly completed?: (body: unknown, parameters: PathParameters) => unknown;
  /** Headers that it heeds, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  /** Why it may refuse, beside the reasons of every route (`errorsOf`). */
  readonly errors?: readonly RefusalCode[];
}

/** What is in a path in place of `:name`. */
export type PathParameters = Readonly<Record<string, string | undefined>>;

/** What a handler is given: the input, checked. */
export interface Asked<Q extends z.ZodObject, B extends z.ZodType> {
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  /** On whose behalf it changes a subject; goes into `Changes`, so that it is recorded with the change. */
  readonly by: (subject: string, items?: readonly string[]) => By;
}

type Handler<Q extends z.ZodObject, B extends z.ZodType> = (
  context: RouterContext,
  asked: Asked<Q, B>,
) => void | Promise<void>;

export type Method = 'get' | 'post' | 'put' | 'delete';

/** A route as it was declared. */
export interface Route extends RouteSpec {
  readonly method: Method;
  /** With its prefix, like `/api/v1/jobs/:name`. */
  readonly path: string;
}

/** A header that makes a request safe to repeat. */
export const idempotencyHeader = {
  'Idempotency-Key': '1 to 255 visible ASCII characters; a request with the same key is done once',
} as const;

/**
 * Routes under one prefix. Each is declared once, with who may use it, what it takes and what it answers:
 * that is checked before its handler runs, and told by the document of the API.
 */
export class Routes {
  readonly router: Router;
  readonly declared: Route[] = [];
  readonly #prefix: string;

  constructor(prefix = '') {
    this.#prefix = prefix;
    this.router = new Router(prefix === '' ? {} : { prefix });
  }

  get<Q extends z.ZodObject, B extends z.ZodType>(
    path: string,
    spec: RouteSpec<Q, B>,
    handler: Handler<Q, B>,
  ): void {
    this.#declare('get', path, spec, handler);
  }

  post<Q extends z.ZodObject, B extends z.ZodType>(
    path: string,
    spec: RouteSpec<Q, B>,
    handler: Handler<Q, B>,
  ): void {
    this.#declare('post', path, spec, handler);
  }

  put<Q extends z.ZodObject, B extends z.ZodType>(
    path: string,
    spec: RouteSpec<Q, B>,
    handler: Handler<Q, B>,
  ): void {
    this.#declare('put', path, spec, handler);
  }

  delete<Q extends z.ZodObject, B extends z.ZodType>(
    path: string,
    spec: RouteSpec<Q, B>,
    handler: Handler<Q, B>,
  ): void {
    this.#declare('delete', path, spec, handler);
  }

  #declare<Q extends z.ZodObject, B extends z.ZodType>(
    method: Method,
    path: string,
    spec: RouteSpec<Q, B>,
    handler: Handler<Q, B>,
  ): void {
    const whole = this.#prefix + (path === '/' && this.#prefix !== '' ? '' : path);
    this.declared.push({ ...spec, method, path: whole });
    this.router.register(path, [method], (context: RouterContext) => {
      checkRole(context, spec.needs);
      return handler(context, askedOf(context, spec));
    });
  }
}

/** What is said of a broken request is said before its route is known. */
const OF_EVERY_ROUTE = [
  'invalid',
  'too-slow',
  'headers-too-large',
  'internal',
  'not-active',
] as const;

/** Every reason for which a route may refuse: its own, and those that all of its kind have. */
export function errorsOf({ method, path, needs, errors = [] }: Route): RefusalCode[] {
  const isWork = /^\/(?:api|agent)\//.test(path);
  const codes = new Set<RefusalCode>([...errors, ...OF_EVERY_ROUTE]);
  if (needs !== 'nothing') codes.add('unauthorized').add('forbidden');
  if (isWork && (method === 'post' || method === 'put')) codes.add('too-large');
  // What workers ask is not sent on to the next active.
  if (path.startsWith('/api/')) codes.add('answer-lost');
  return [...codes];
}

function checkRole(context: RouterContext, needs: Need): void {
  if (needs === 'nothing') return;
  const { name, roles } = callerOf(context);
  if (mayDo(roles, needs)) return;
  const has = roles.join(' and ');
  throw new Refusal('forbidden', `this needs the role ${needs}; the token ${name} has ${has}`);
}

function askedOf<Q extends z.ZodObject, B extends z.ZodType>(
  context: RouterContext,
  { query, body, completed, audited, isSecret = false }: RouteSpec<Q, B>,
): Asked<Q, B> {
  const given = bodyOf(context);
  const whole = completed === undefined ? given : completed(given, context.params);
  return {
    // Without a schema nothing is taken, so nothing can be read of it.
    query: (query === undefined ? {} : check(query, context.query)) as z.output<Q>,
    body: (body === undefined
      ? undefined
      : check(body, whole, isSecret ? 'secret' : 'open')) as z.output<B>,
    by: (subject, items = []) => ({ audits: [entryOf(context, audited, subject, items)] }),
  };
}

function entryOf(
  context: RouterContext,
  action: string | undefined,
  subject: string,
  items: readonly string[],
): NewAudit {
  if (action === undefined)
    throw new Error('a route that changes something says what in `audited`');
  const { caller, at } = admissionOf(context);
  const address = addressOf(context);
  return { at, actor: caller.name, action, subject, address, items, count: 1 };
}
