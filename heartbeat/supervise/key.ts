import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import { judgeKey, type KeyVerdict, knownKey } from '@understudy/shared/runtime/pair-key';
import { type SchemaOptions, withConnection } from '@understudy/shared/runtime/schema-version';
import { lookOnce } from './look-once.ts';

export interface AwaitKeyOptions extends SchemaOptions {
  readonly pair: string;
  /** Where the key store of this node lies; null: nowhere. */
  readonly keystore: string | null;
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_AGAIN_MS = 1_000;

/**
 * Resolves once it is certain that this node can read the secrets of the pair, or `signal` aborts. Throws
 * `UserError` (exit code 78) when it can't: it must not serve [H4]. Waits while the database does not answer.
 */
export async function awaitKey(options: AwaitKeyOptions): Promise<void> {
  const { signal, onWaiting } = options;
  while (!signal.aborted) {
    const verdict = await lookOnce(signal, (limit) => look(options, limit));
    if (typeof verdict === 'string')
      onWaiting(`the id of the pair's key can not be read: ${verdict}`);
    else if (verdict.type === 'refused') throw new UserError(verdict.reason, exitCodes.badConfig);
    else return;
    await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function look(options: AwaitKeyOptions, limit: AbortSignal): Promise<KeyVerdict> {
  const { pair, keystore: path } = options;
  return await withConnection(options, async (connection) => {
    // A query on a link that went dark never ends by itself.
    limit.addEventListener('abort', () => connection.destroy());
    return judgeKey({ pair, path, known: await knownKey(connection, pair) });
  });
}
