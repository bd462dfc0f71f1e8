import { declaredIn, routesOf } from '@understudy/controller/http/app';
import { describeApi } from '@understudy/controller/http/openapi';
import { errorsOf, type Route } from '@understudy/controller/http/routes';
import { refusals } from '@understudy/controller/work/refusal';
import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { readSources } from '../../house/tree.ts';
import { examples, routerRoutes, setUpApp } from './app-bench.ts';

interface Operation {
  readonly summary: string;
  readonly security: readonly { readonly token?: readonly string[] }[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

async function described(t: ExecutionContext) {
  const { parts, ask } = await setUpApp(t);
  const routes = declaredIn(routesOf(parts));
  const document = describeApi({ version: '1', routes }) as unknown as Document;
  const operationOf = ({ method, path }: Route) =>
    document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method];
  return { parts, ask, routes, document, operationOf };
}

test('every route of the routers is declared, and nothing else is but /readyz', async (t) => {
  const { parts, routes } = await described(t);
  const declared = routes.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  t.deepEqual(declared.toSorted(), [...routerRoutes(parts), 'GET /readyz'].toSorted());
});

test('every route is documented: summary, role, parameters, body, answers and error codes', async (t) => {
  const { routes, operationOf } = await described(t);
  for (const route of routes) {
    const { path, query, body, headers = {}, needs, answers, summary } = route;
    const operation = operationOf(route);
    if (operation === undefined) return t.fail(`${route.method} ${path} is not documented`);
    t.is(operation.summary, summary);
    t.regex(summary, /^[A-Z].*\.$/);
    t.deepEqual(operation.security, needs === 'nothing' ? [] : [{ token: [needs] }]);
    const names = (place: string) =>
      (operation.parameters ?? []).filter((each) => each.in === place).map(({ name }) => name);
    t.deepEqual(
      names('path'),
      Array.from(path.matchAll(/:(\w+)/g), ([, name]) => name ?? ''),
    );
    t.deepEqual(names('query'), Object.keys(query?.shape ?? {}));
    t.deepEqual(names('header'), Object.keys(headers));
    t.is(operation.requestBody === undefined, body === undefined, path);
    const good = Object.keys(operation.responses).filter((status) => Number(status) < 400);
    t.deepEqual(good, Object.keys(answers));
    t.deepEqual(codesOf(operation), errorsOf(route).toSorted());
  }
});

test('every reference leads somewhere, and nothing is said without a form', async (t) => {
  const { document } = await described(t);
  const text = JSON.stringify(document);
  t.is(document.openapi, '3.1.0');
  const targets = new Set(Array.from(text.matchAll(/"\$ref":"([^"]*)"/g), ([, to]) => to ?? ''));
  for (const target of targets) {
    const name = target.replace('#/components/schemas/', '');
    t.true(Object.hasOwn(document.components.schemas, name), target);
  }
  for (const name of ['Job', 'Run', 'Attempt', 'Agent', 'Pair', 'Event', 'Error']) {
    t.true(Object.hasOwn(document.components.schemas, name), name);
  }
});

test('the documented codes are all codes of the catalogue, and each is used in the code', async (t) => {
  const { document } = await described(t);
  const [error] = [document.components.schemas['Error']] as [
    { properties: { error: { properties: { code: { enum: string[] } } } } },
  ];
  t.deepEqual(error.properties.error.properties.code.enum, Object.keys(refusals));
  const sources = readSources()
    .filter(({ path }) => /^controller\/|^shared\/runtime\/(?:broken|tls\/shown)/.test(path))
    .map(({ bare }) => bare.replaceAll(/\berrors: \[[^\]]*\]/g, ''));
  const raised = new Set(sources.flatMap((text) => Array.from(text.matchAll(RAISED), codeIn)));
  t.deepEqual(
    Object.keys(refusals).filter((code) => !raised.has(code)),
    [],
  );
});

/** Where a code is given to somebody: `new Refusal('code'`, and the few places that translate errors. */
const RAISED =
  /(?:new Refusal\(\s*|code: |return |response, |\? |Large',\s*|Timeout',\s*)'([a-z-]+)'/g;

function codeIn([, code = '']: RegExpMatchArray): string {
  return code;
}

for (const name of Object.keys(examples)) {
  test(`the answer of ${name} has the form that the document gives`, async (t) => {
    const { ask, routes } = await described(t);
    const route = routes.find(({ method, path }) => `${method.toUpperCase()} ${path}` === name);
    const response = await ask(name);
    const answer = route?.answers[response.status];
    if (answer === undefined) return t.fail(`${response.status} is not documented`);
    if (answer.body === undefined) {
      t.true((response.headers.get('content-type') ?? '').startsWith(answer.type ?? ''));
      return await response.body?.cancel();
    }
    const given: unknown = await response.json();
    const { success, data, error } = answer.body.safeParse(given);
    t.true(success, error?.message ?? '');
    // What the form does not know is left out by it.
    if (isPlain(answer.body)) t.deepEqual(data, given);
  });
}

/** Whether what is read by the form is what was given, if the form is met. */
function isPlain(schema: z.ZodType): boolean {
  try {
    z.toJSONSchema(schema, { io: 'output' });
    return true;
  } catch {
    return false;
  }
}

/** The codes of an operation, which stand as values of `code` in its responses. */
function codesOf({ responses }: Operation): string[] {
  const lists = JSON.stringify(responses).matchAll(/"code":\{"enum":(\[[^\]]*\])/g);
  return Array.from(lists, ([, list = '[]']) => JSON.parse(list) as string[])
    .flat()
    .toSorted();
}
