import type { Sealed } from '@understudy/shared/runtime/keystore';

/** Something sealed, as it travels in JSON. */
export interface SealedText {
  readonly nonce: string;
  readonly data: string;
}

export function sealedText({ nonce, data }: Sealed): SealedText {
  return { nonce: nonce.toString('base64'), data: data.toString('base64') };
}

export function sealedFrom({ nonce, data }: SealedText): Sealed {
  return { nonce: Buffer.from(nonce, 'base64'), data: Buffer.from(data, 'base64') };
}
