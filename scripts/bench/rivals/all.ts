import { etcdLock } from './etcd.ts';
import { keepalived } from './keepalived.ts';
import type { Rival } from './rival.ts';

/** What else keeps one of two servers on the air. */
export const rivals: readonly Rival[] = [keepalived(1), keepalived(0.1), etcdLock(2)];
