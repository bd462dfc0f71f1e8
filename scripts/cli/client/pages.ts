import type { Page } from '@understudy/shared/protocol/api';
import type { ApiClient } from './api-client.ts';

type Query = Readonly<Record<string, string | undefined>>;

const LARGEST_PAGE = 1_000;

/** The items of all pages of a list, up to a limit. A page may be empty, and a next one follow. */
export async function allPages<T>(
  api: ApiClient,
  path: string,
  query: Query,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<readonly T[]> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const wanted = limit - items.length;
    const ofPage = Number.isFinite(wanted) ? `${Math.min(LARGEST_PAGE, wanted)}` : undefined;
    const page = await api.request<Page<T>>({
      method: 'GET',
      path,
      query: { ...query, after, limit: ofPage },
    });
    items.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined && items.length < limit);
  return items.slice(0, limit);
}
