import { isIP } from 'node:net';
import type { Listen } from '@understudy/shared/runtime/config/types';

/** Host and port as configurations write them: an IPv6 address in brackets. */
export function showAddress({ host, port }: Listen): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Where a URL leads, its port named even where it is the usual one. */
export function addressOf(url: URL): Listen {
  const usual = url.protocol === 'https:' ? 443 : 80;
  return { host: bareHost(url), port: url.port === '' ? usual : Number(url.port) };
}

/** An IPv6 address without the brackets that it has in a URL. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** Whether it is a name, which has to be looked up, and no address. */
export function isName(url: URL): boolean {
  return isIP(bareHost(url)) === 0;
}

export function isIPv6(url: URL): boolean {
  return isIP(bareHost(url)) === 6;
}

/** Where a program that listens there is found on its own host. */
export function localOf({ host, port }: Listen): Listen {
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: loopback[host] ?? host, port };
}

/** All addresses of the balancer's host, at the port of the first controller; of IPv6 where the pair uses it. */
export function defaultListen(
  controllers: readonly { readonly controller: URL }[],
): readonly Listen[] {
  const [first] = controllers;
  if (first === undefined) return [];
  const { port } = addressOf(first.controller);
  const hasIPv6 = controllers.some(({ controller }) => isIPv6(controller));
  return ['0.0.0.0', ...(hasIPv6 ? ['::'] : [])].map((host) => ({ host, port }));
}
