import { formatSizeBytes } from '@understudy/shared/kernel/size';

/** How much output of an attempt is kept, and what becomes of one that writes more. */
export interface OutputLimit {
  readonly limitBytes: number;
  readonly onLimit: 'truncate' | 'kill';
}

/** Why an attempt is ended whose output is too long. */
export function tooLong({ limitBytes }: OutputLimit): string {
  return `its output exceeded ${formatSizeBytes(limitBytes)}`;
}

/** What people should know of an output of which something is missing. */
export function tellDropped(bytes: number): string | null {
  return bytes === 0 ? null : `${bytes} bytes of its output were dropped`;
}
