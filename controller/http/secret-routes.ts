import {
  rekeyedSchema,
  rekeyRequestSchema,
  type SecretView,
  secretNameSchema,
  secretValueSchema,
  secretViewSchema,
} from '@understudy/shared/protocol/secrets';
import { pageSchema } from '@understudy/shared/protocol/views';
import type { SecretRecord } from '../security/secrets.ts';
import { callerOf } from './admission.ts';
import type { AppParts } from './app.ts';
import { check } from './input.ts';
import { type PathParameters, Routes } from './routes.ts';

/** Secrets: stored, listed and removed, but never read. */
export function secretRoutes({ secrets, rekey }: AppParts): Routes {
  const routes = new Routes('/api/v1/secrets');
  const theSecret = { what: 'the secret, without its value', body: secretViewSchema };
  routes.get(
    '/',
    {
      summary: 'The secrets that jobs may name, without their values.',
      needs: 'operator',
      answers: { 200: { what: 'the secrets', body: pageSchema(secretViewSchema) } },
    },
    (context) => {
      context.body = { items: secrets.list().map(secretView), next: null };
    },
  );
  routes.post(
    '/rekey',
    {
      summary:
        'Encrypts all secrets anew with the key that lies beside the present one, and makes it the key of the pair.',
      needs: 'admin',
      audited: 'secret.rekey',
      body: rekeyRequestSchema,
      answers: { 200: { what: 'what was encrypted anew', body: rekeyedSchema } },
      errors: ['no-keystore', 'key-missing', 'undecryptable', 'too-many', 'store-away'],
    },
    async (context, { body: { keyId }, by }) => {
      context.body = await rekey.rekey(keyId, by(keyId));
    },
  );
  routes.get(
    '/:name',
    {
      summary: 'One secret, without its value.',
      needs: 'operator',
      answers: { 200: theSecret },
      errors: ['unknown-secret'],
    },
    (context) => {
      context.body = secretView(secrets.get(nameOf(context)));
    },
  );
  routes.put(
    '/:name',
    {
      summary: 'Stores a value, encrypted. Runs that begin from now on get it.',
      needs: 'admin',
      audited: 'secret.set',
      body: secretValueSchema,
      isSecret: true,
      answers: {
        200: theSecret,
        201: { what: 'the secret, which is new', body: secretViewSchema },
      },
      errors: ['no-keystore', 'too-many', 'store-away'],
    },
    async (context, { body, by }) => {
      const name = check(secretNameSchema, nameOf(context));
      const set = await secrets.set(name, body.value, callerOf(context).name, by(name));
      context.status = set.isNew ? 201 : 200;
      context.body = secretView(set.record);
    },
  );
  routes.delete(
    '/:name',
    {
      summary: 'Removes a secret that no job and no run under way needs.',
      needs: 'admin',
      audited: 'secret.remove',
      answers: { 204: { what: 'it is removed' } },
      errors: ['unknown-secret', 'secret-in-use', 'store-away'],
    },
    async (context, { by }) => {
      const name = nameOf(context);
      await secrets.remove(name, by(name));
      context.status = 204;
    },
  );
  return routes;
}

function nameOf({ params }: { readonly params: PathParameters }): string {
  return params['name'] ?? '';
}

function secretView({ name, keyId, updatedAt, updatedBy }: SecretRecord): SecretView {
  return { name, keyId, updatedBy, updatedAt: new Date(updatedAt).toISOString() };
}
