import { STATUS_CODES } from 'node:http';
import { errorBodySchema } from '@understudy/shared/protocol/views';
import { z } from 'zod';
import { type RefusalCode, refusals } from '../work/refusal.ts';
import { type AnswerSpec, errorsOf, type Route } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

export interface DescribedApi {
  readonly version: string;
  readonly routes: readonly Route[];
}

const ABOUT = `The API of the active controller. A request that was answered 2xx is committed; one that was not may be
repeated with the same Idempotency-Key. Each answer carries Understudy-Term and Understudy-Node. What has no
route is answered 404 \`not-found\`, or 405 \`method-not-allowed\`. Answers of 503 carry Retry-After.
A security requirement names the role that the token needs; an admin may what an operator may, and an operator
what a viewer may.`;

/** The document of the API, OpenAPI 3.1, made from what the routes were declared with. */
export function describeApi({ version, routes }: DescribedApi): Json {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route, schemas) };
  }
  const error = schemas.toJson(errorBodySchema(Object.keys(refusals)));
  return {
    openapi: '3.1.0',
    info: { title: 'Understudy', version, description: ABOUT },
    paths,
    components: {
      schemas: { ...schemas.named, Error: error },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf(route: Route, schemas: Schemas): Json {
  const { method, path, summary, needs } = route;
  const parameters = [
    ...pathParameters(path),
    ...queryParameters(route, schemas),
    ...headerParameters(route),
  ];
  return {
    operationId: operationId(method, path),
    tags: [tagOf(path)],
    summary,
    ...(needs === 'nothing' ? { security: [] } : { security: [{ token: [needs] }] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route, schemas),
    responses: { ...answersOf(route, schemas), ...refusalsOf(route) },
  };
}

function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return [method, ...words].join('-');
}

/** `/api/v1/jobs/...` is about jobs; what workers speak, and what hosts are asked, stand apart. */
function tagOf(path: string): string {
  const [, first = '', , what = ''] = path.split('/');
  return first === 'api' ? what : first === 'agent' ? 'worker protocol' : 'host';
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));
}

function queryParameters({ query }: Route, schemas: Schemas): Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemas.toJson(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    ...{ name, in: 'query', required: required.includes(name), schema },
  }));
}

function headerParameters({ headers = {} }: Route): Json[] {
  return Object.entries(headers).map(([name, description]) => ({
    ...{ name, in: 'header', required: false, description, schema: { type: 'string' } },
  }));
}

function bodyOf({ body }: Route, schemas: Schemas): Json {
  if (body === undefined) return {};
  const required = !body.safeParse(undefined).success;
  const content = { 'application/json': { schema: schemas.toJson(body) } };
  return { requestBody: { required, content } };
}

function answersOf({ answers }: Route, schemas: Schemas): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [
      status,
      { description: answer.what, ...contentOf(answer, schemas) },
    ]),
  );
}

function contentOf({ body, type }: AnswerSpec, schemas: Schemas): Json {
  if (body !== undefined) {
    return { content: { 'application/json': { schema: schemas.toJson(body) } } };
  }
  return type === undefined ? {} : { content: { [type]: { schema: { type: 'string' } } } };
}

/** By status: the codes with which the route may refuse. */
function refusalsOf(route: Route): Json {
  const byStatus = new Map<number, RefusalCode[]>();
  for (const code of errorsOf(route)) {
    const status = refusals[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [status, refusalAnswer(status, codes.toSorted())]),
  );
}

function refusalAnswer(status: number, codes: readonly RefusalCode[]): Json {
  const code = { properties: { error: { properties: { code: { enum: codes } } } } };
  const schema = { allOf: [{ $ref: '#/components/schemas/Error' }, code] };
  const description = `${STATUS_CODES[status] ?? status}: ${codes.join(', ')}`;
  return { description, content: { 'application/json': { schema } } };
}

/** Turns schemas into JSON Schema, and keeps those that have a name apart. */
class Schemas {
  readonly named: Record<string, Json> = {};

  toJson(schema: z.ZodType): Json {
    const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    const text = JSON.stringify(whole).replaceAll('"#/$defs/', '"#/components/schemas/');
    const {
      $schema: _,
      $defs = {},
      ...rest
    } = JSON.parse(text) as Json & {
      readonly $defs?: Readonly<Record<string, Json>>;
    };
    Object.assign(this.named, $defs);
    return rest;
  }
}
