import { etcdLock } from './etcd.ts';
import { keepalived } from './keepalived.ts';
import type { Rival } from './rival.ts';

/** Those that move an address between hosts: with its defaults, and as fast as it gets. */
export const hostsRivals: readonly Rival[] = [keepalived(1), keepalived(0.1)];

/** What else keeps one of two servers on the air. */
export const rivals: readonly Rival[] = [...hostsRivals, etcdLock(2)];
