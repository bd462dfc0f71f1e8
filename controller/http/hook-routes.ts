import { nameSchema } from '@understudy/shared/protocol/api';
import {
  deliveryStates,
  deliveryViewSchema,
  hookSchema,
  hookViewSchema,
} from '@understudy/shared/protocol/hooks';
import { pageSchema } from '@understudy/shared/protocol/views';
import { z } from 'zod';
import { deliveryView, hookView } from '../notify/views.ts';
import { listDeliveries } from '../store/read-deliveries.ts';
import type { AppParts } from './app.ts';
import { check } from './input.ts';
import { type PathParameters, Routes } from './routes.ts';

const listSchema = z.object({
  state: z.enum(deliveryStates).optional(),
  after: z.uuid().optional().describe('older than this one'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** Web hooks, and what they were told. */
export function hookRoutes({ hooks, reader }: AppParts): Routes {
  const routes = new Routes('/api/v1/hooks');
  const theHook = { what: 'the hook', body: hookViewSchema };
  routes.get(
    '/',
    {
      summary: 'All web hooks.',
      needs: 'operator',
      answers: { 200: { what: 'the hooks', body: pageSchema(hookViewSchema) } },
    },
    (context) => {
      context.body = { items: hooks.all().map(hookView), next: null };
    },
  );
  routes.get(
    '/:name',
    {
      summary: 'One web hook, without its secret.',
      needs: 'operator',
      answers: { 200: theHook },
      errors: ['unknown-hook'],
    },
    (context) => {
      context.body = hookView(hooks.get(nameOf(context)));
    },
  );
  routes.put(
    '/:name',
    {
      summary: 'Creates or replaces a web hook. Without a word on its secret, that stays.',
      needs: 'admin',
      audited: 'hook.set',
      body: hookSchema,
      isSecret: true,
      answers: { 200: theHook, 201: { what: 'the hook, which is new', body: hookViewSchema } },
      errors: ['no-keystore', 'too-many', 'store-away'],
    },
    async (context, { body, by }) => {
      const name = check(nameSchema, nameOf(context));
      const { hook, isNew } = await hooks.apply(name, body, by(name));
      context.status = isNew ? 201 : 200;
      context.body = hookView(hook);
    },
  );
  routes.delete(
    '/:name',
    {
      summary: 'Removes a web hook. What it was still to be told is told to nobody.',
      needs: 'admin',
      audited: 'hook.remove',
      answers: { 204: { what: 'it is removed' } },
      errors: ['unknown-hook', 'store-away'],
    },
    async (context, { by }) => {
      const name = nameOf(context);
      await hooks.delete(name, by(name));
      context.status = 204;
    },
  );
  routes.get(
    '/:name/deliveries',
    {
      summary: 'What a web hook was told, or is to be told, newest first.',
      needs: 'operator',
      query: listSchema,
      answers: { 200: { what: 'a page of deliveries', body: pageSchema(deliveryViewSchema) } },
      errors: ['unknown-hook', 'store-away'],
    },
    async (context, { query: { state = null, after = null, limit } }) => {
      const { id: hook } = hooks.get(nameOf(context));
      const found = await listDeliveries(reader, { hook, state, after, limit: limit + 1 });
      const items = found.slice(0, limit).map(deliveryView);
      context.body = { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
    },
  );
  return routes;
}

function nameOf({ params }: { readonly params: PathParameters }): string {
  return params['name'] ?? '';
}
