import { accessSync, constants } from 'node:fs';
import { get } from 'node:http';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { UserError } from '@understudy/shared/runtime/errors';
import type { NetworkHost } from '../../hosts/network-host.ts';
import type { Target } from '../prober.ts';

/** `crash`: what serves dies. `host-loss`: all of its host falls silent at once, and stays so. */
export const rivalFaults = ['crash', 'host-loss'] as const;
export type RivalFault = (typeof rivalFaults)[number];

/** Another way to keep one of two servers on the air. */
export interface Rival {
  readonly name: string;
  readonly title: string;
  /** Why it can't be measured here; null: it can. */
  missing(): string | null;
  /** Starts two hosts of it; whatever it makes lies in the folder, or is removed by `stop`. */
  start(folder: string): Promise<RivalPair>;
}

export interface RivalPair {
  /** Where users ask. */
  readonly targets: readonly Target[];
  /** A host from where they may ask; none: the rival has no network of its own. */
  readonly client?: NetworkHost;
  /** Waits until one host serves and the other stands by; the name of the one that serves. */
  whole(): Promise<string>;
  strike(fault: RivalFault, host: string): void;
  /** Brings back what was struck. */
  mend(host: string): Promise<void>;
  stop(): Promise<void>;
}

export const SERVER = fileURLToPath(new URL('./server.js', import.meta.url));

const WITHIN_MS = 30_000;

/** Waits until a look gives something else than null. */
export async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + WITHIN_MS;
  while (performance.now() < deadline) {
    const found = await look();
    if (found !== null) return found;
    await delay(20);
  }
  throw new UserError(`${what}: not within ${WITHIN_MS / 1_000} s`);
}

/** The name of the host whose server answers there; null: none does. */
export function whoAnswers({ host, port }: Target): Promise<string | null> {
  return new Promise((resolve) => {
    const asked = get({ host, port, agent: false, signal: AbortSignal.timeout(500) });
    asked.on('error', () => resolve(null));
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', () => resolve(null));
      response.on('end', () => resolve(text));
    });
  });
}

/** The first of these programs that is not installed, as a reason; null: all are. */
export function missingProgram(...names: readonly string[]): string | null {
  // Where Debian puts what root uses.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const missing = names.find((name) => !folders.some((folder) => isExecutable(join(folder, name))));
  return missing === undefined ? null : `${missing} is not installed`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
