import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf } from './errors.ts';

/**
 * The key store: one file with the key by which secrets are encrypted, the same on every node of a pair. Its
 * id, a hash of the key, is in the database, so that a node with another key is found out before it serves.
 */
export interface Keystore {
  readonly id: string;
  /** Encrypts; `about` is what it must be given again to be decrypted, so that nobody can swap two of them. */
  seal(text: string, about: string): Sealed;
  /** Throws when it was not sealed with this key for the same thing. */
  open(sealed: Sealed, about: string): string;
}

/** A text that is encrypted: AES-256-GCM. The tag stands at the end of `data`. */
export interface Sealed {
  readonly nonce: Buffer;
  readonly data: Buffer;
}

export type ReadKeystore =
  | { readonly type: 'read'; readonly keystore: Keystore }
  | { readonly type: 'missing' }
  /** There is something, but not a key store that can be used; the problem tells nothing of the key. */
  | { readonly type: 'bad'; readonly problem: string };

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

const fileSchema = z.object({
  understudyKeystore: z.literal(1),
  id: z.string(),
  key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
});

/** Reads the file. Others than its owner, and the owner's group, must not be able to read it. */
export function readKeystore(path: string): ReadKeystore {
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if ((mode & 0o007) !== 0) {
      return { type: 'bad', problem: `may be read by everybody: chmod 600 ${path}` };
    }
    if (size > 4_096) return { type: 'bad', problem: 'is not a key store' };
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { type: 'missing' };
    return { type: 'bad', problem: `can't be read: ${messageOf(error)}` };
  }
  const parsed = fileSchema.safeParse(asJson(text));
  if (!parsed.success) return { type: 'bad', problem: 'is not a key store' };
  const key = Buffer.from(parsed.data.key, 'base64');
  if (idOf(key) !== parsed.data.id)
    return { type: 'bad', problem: 'is damaged: key and id differ' };
  return { type: 'read', keystore: keystoreOf(key) };
}

/** Makes a key and its file, which must not exist. */
export function makeKeystore(path: string): Keystore {
  const key = randomBytes(KEY_BYTES);
  const file = { understudyKeystore: 1, id: idOf(key), key: key.toString('base64') };
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return keystoreOf(key);
}

function keystoreOf(key: Buffer): Keystore {
  return {
    id: idOf(key),
    seal: (text, about) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(about));
      const parts = [cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return { nonce, data: Buffer.concat(parts) };
    },
    open: ({ nonce, data }, about) => {
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(about)).setAuthTag(data.subarray(-TAG_BYTES));
      const text = decipher.update(data.subarray(0, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
  };
}

/** Tells keys apart, and nothing of them: the key is 256 random bits. */
function idOf(key: Buffer): string {
  const hash = createHash('sha256').update('understudy keystore').update(key).digest('hex');
  return `k-${hash.slice(0, 16)}`;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
