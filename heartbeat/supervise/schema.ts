import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import {
  readSchemaVersion,
  type SchemaOptions,
  type SchemaVersion,
} from '@understudy/shared/runtime/schema-version';
import { version } from '@understudy/shared/runtime/version';
import { lookOnce } from './look-once.ts';

export interface AwaitSchemaOptions extends SchemaOptions {
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_AGAIN_MS = 1_000;

/**
 * Resolves once the schema in the database is the one that this version knows, or `signal` aborts. Throws
 * `UserError` (exit code 78) when a newer version has migrated it: this one must not write to it [H11].
 * While the database does not answer, others wait for it and say so.
 */
export async function awaitSchema(options: AwaitSchemaOptions): Promise<void> {
  const { signal, onWaiting } = options;
  while (!signal.aborted) {
    const found = await lookOnce(signal, (limit) => readSchemaVersion(options, limit));
    if (typeof found === 'string') onWaiting(`the schema can not be read: ${found}`);
    else if (found.state === 'current') return;
    else if (found.state === 'ahead') throw newer(options.schema, found);
    else onWaiting(`${describe(options.schema, found)}: run \`understudy create\``);
    // Asked to stop is no failure.
    await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

function describe(schema: string, { state, applied, known }: SchemaVersion): string {
  if (state === 'missing') return `the database has no schema ${schema} for Understudy yet`;
  return `the schema ${schema} is at ${applied}, this version (${version}) needs ${known}`;
}

function newer(schema: string, { applied, known }: SchemaVersion): UserError {
  return new UserError(
    `the schema ${schema} was migrated to ${applied} by a newer version; this one (${version}) knows it up ` +
      `to ${known} and must not write to it: install the newer version on this host too`,
    exitCodes.badConfig,
  );
}
