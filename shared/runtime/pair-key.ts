import type { Connection } from './database.ts';
import { type Keystore, readKeystore } from './keystore.ts';

/** Where the key store lies that is to take the place of this one: on each node, before the key is changed. */
export function nextKeystorePath(path: string): string {
  return `${path}.next`;
}

/** How the key store of a node fits the pair. `none`: the pair has none, and neither has this node. */
export type KeyVerdict =
  | { readonly type: 'none' }
  | { readonly type: 'fits'; readonly keystore: Keystore }
  /** This node must not serve. */
  | { readonly type: 'refused'; readonly reason: string };

export interface KeyQuestion {
  readonly pair: string;
  /** Where the file lies; null: the configuration names none. */
  readonly path: string | null;
  /** The id of the key with which the pair's secrets are encrypted; null: there is none yet. */
  readonly known: string | null;
}

/**
 * Whether this node may serve: whoever can't read the pair's secrets would fail the jobs that need them. The
 * key that was to come counts as soon as it is the pair's.
 */
export function judgeKey({ pair, path, known }: KeyQuestion): KeyVerdict {
  const expected = `pair ${pair} encrypts its secrets with key ${known}`;
  const remedy = 'copy the key store file of a node that serves to this one';
  if (path === null) {
    if (known === null) return { type: 'none' };
    return refused(`${expected}, and this node has no key store: ${remedy}, and set \`keystore\``);
  }
  const next = known === null ? null : readKeystore(nextKeystorePath(path));
  if (next?.type === 'read' && next.keystore.id === known) {
    return { type: 'fits', keystore: next.keystore };
  }
  const read = readKeystore(path);
  switch (read.type) {
    case 'missing':
      if (known === null) {
        return refused(`there is no key store at ${path}: run \`understudy create\``);
      }
      return refused(`${expected}, and there is no key store at ${path}: ${remedy}`);
    case 'bad':
      return refused(`the key store ${path} ${read.problem}`);
    case 'read': {
      const { keystore } = read;
      if (known === null) {
        return refused(
          `pair ${pair} does not know key ${keystore.id} yet: run \`understudy create\``,
        );
      }
      if (known === keystore.id) return { type: 'fits', keystore };
      return refused(`${expected}, and the key store ${path} holds key ${keystore.id}: ${remedy}`);
    }
  }
}

function refused(reason: string): KeyVerdict {
  return { type: 'refused', reason };
}

/** The id of the key that the pair uses; null: none yet. */
export async function knownKey({ client }: Connection, pair: string): Promise<string | null> {
  const { rows } = await client.query<{ id: string }>('select id from pair_key where pair = $1', [
    pair,
  ]);
  return rows[0]?.id ?? null;
}
