import { type Prober, startProber } from '../prober.ts';
import type { RivalPair } from '../rivals/rival.ts';
import { startUsers } from './stage.ts';

/** Asks a rival as our own pair is asked: from another host, where it has one; new connections count. */
export function watchRival({ targets, client }: RivalPair, perSecond: number): Prober {
  const [target] = targets;
  if (client === undefined || target === undefined) {
    return startProber({ targets, path: '/', token: '' });
  }
  const habits = { wishes: ['pair'], job: '', timeoutMs: 1_000 } as const;
  const users = startUsers(client, target, '', { ...habits, perSecond });
  return {
    warm: () => users.warm(),
    begin: () => users.begin(),
    longestSilenceMs: () => users.longestSilenceMs('new'),
    stop: () => users.stop(),
  };
}
