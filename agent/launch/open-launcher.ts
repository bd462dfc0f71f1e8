import { messageOf } from '@understudy/shared/runtime/errors';
import { launcherByLibc } from './by-libc.ts';
import { launchByNode } from './by-node.ts';
import type { Launcher } from './port.ts';

/** The cheapest way to start programs that this host has. `onSlow` is told why it is not the cheapest there is. */
export async function openLauncher(onSlow: (reason: string) => void): Promise<Launcher> {
  try {
    // Loaded only here: where the library has no build for the host, a worker runs all the same.
    const { openLibc } = await import('./libc.ts');
    return launcherByLibc(openLibc());
  } catch (error) {
    onSlow(messageOf(error));
    return launchByNode;
  }
}
