import { readFileSync, statSync } from 'node:fs';
import type { TlsConfig } from '../config/types.ts';
import { messageOf } from '../errors.ts';
import { type JudgedMaterial, judgeMaterial, type TlsTexts } from './material.ts';
import type { Member } from './member.ts';

const MOST_BYTES = 262_144;

/** Reads the files and judges them. Others than the key's owner, and the owner's group, must not be able to read it. */
export function readMaterial(files: TlsConfig, self: Member): JudgedMaterial {
  const texts = readTexts(files);
  return 'problem' in texts ? { type: 'bad', ...texts } : judgeMaterial(texts, self);
}

/**
 * What changes when a file is written or replaced: asked all the time, so without reading it. A file that is not there
 * has a mark, too, and so has one that may not be looked at: whoever reads it says what is wrong.
 */
export function marksOf({ cert, key, ca, crl }: TlsConfig): string {
  return [cert, key, ca, ...(crl === null ? [] : [crl])].map(markOf).join(' ');
}

function readTexts(files: TlsConfig): TlsTexts | { readonly problem: string } {
  const texts = { cert: '', key: '', ca: '', crl: '' };
  for (const name of ['cert', 'key', 'ca', 'crl'] as const) {
    const path = files[name];
    if (path === null) continue;
    try {
      const { mode, size } = statSync(path);
      if (name === 'key' && (mode & 0o007) !== 0) {
        return { problem: `tls.key may be read by everybody: chmod 600 ${path}` };
      }
      if (size > MOST_BYTES) return { problem: `tls.${name} is too large: ${path}` };
      texts[name] = readFileSync(path, 'utf8');
    } catch (error) {
      return { problem: `tls.${name} can't be read: ${messageOf(error)}` };
    }
  }
  return { ...texts, crl: files.crl === null ? null : texts.crl };
}

function markOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch (error) {
    return messageOf(error);
  }
}
