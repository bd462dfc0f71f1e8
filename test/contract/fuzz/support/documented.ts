import type { Bench } from '../../controller/bench.ts';
import type { RawAnswer, RawRequest } from './raw.ts';

interface Operation {
  readonly responses: Readonly<Record<string, unknown>>;
}

/** What the document of the API says of each route. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export async function documentOf(bench: Bench): Promise<ApiDocument> {
  return (await bench.ask('GET', '/api/v1/openapi.json')).body;
}

/** Why a refusal is not what the document says of its route; null when it is, or when there is no such route. */
export function documentFault(
  { paths }: ApiDocument,
  { method, path }: Pick<RawRequest, 'method' | 'path'>,
  { status, body }: RawAnswer,
): string | null {
  if (status === null || status < 400 || body === '') return null;
  const template = Object.keys(paths).find((each) => fits(each, path.split('?', 1)[0] ?? ''));
  const operation = paths[template ?? '']?.[method.toLowerCase()];
  if (operation === undefined) return null;
  const { code } = (JSON.parse(body) as { error: { code: string } }).error;
  const codes = JSON.stringify(operation.responses[`${status}`] ?? {});
  return codes.includes(`"${code}"`)
    ? null
    : `${method} ${template}: ${status} ${code} is not documented`;
}

function fits(template: string, path: string): boolean {
  const [wanted, given] = [template.split('/'), path.split('/')];
  if (wanted.length !== given.length) return false;
  return wanted.every((part, index) => part.startsWith('{') || part === given[index]);
}
