import { isIP } from 'node:net';
import { UserError } from '@understudy/shared/runtime/errors';

const LONGEST: Readonly<Record<number, number>> = { 4: 32, 6: 128 };

/** An address with the length of its network. Throws `UserError` for anything else. */
export function parseVip(text: string): string {
  const [address = '', length = '', ...more] = text.split('/');
  const longest = LONGEST[isIP(address)] ?? 0;
  const isGood = /^\d{1,3}$/.test(length) && Number(length) >= 1 && Number(length) <= longest;
  if (isGood && more.length === 0) return text;
  throw new UserError(
    `--vip holds "${text}"; expected an address with the length of its network, like 10.0.0.10/24`,
  );
}

/** The number of a virtual router. Throws `UserError` for anything else. */
export function parseRouterId(text: string): number {
  const number = Number(text);
  if (/^\d{1,3}$/.test(text) && number >= 1 && number <= 255) return number;
  throw new UserError(`--router-id holds "${text}"; expected a whole number from 1 to 255`);
}

/** The name of a network interface, as the kernel allows it. Throws `UserError` for anything else. */
export function parseInterface(text: string): string {
  if (/^[^\s/:"{}]{1,15}$/.test(text)) return text;
  throw new UserError(
    `--interface holds "${text}"; expected the name of a network interface, like eth0`,
  );
}
