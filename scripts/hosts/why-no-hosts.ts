import { run } from './run.ts';

/** Why hosts of their own network can't be made here; null when they can. */
export function whyNoHosts(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  for (const program of ['ip', 'arping', 'ndptool', 'nft']) {
    if (!isThere(program)) return `${program} is not installed (Debian: ${packages[program]})`;
  }
  try {
    // In a namespace of its own, which ends with the command.
    const probe = 'ip link add x type veth peer name y && ip link add z type bridge';
    run('unshare', '--net', 'sh', '-c', probe);
    return null;
  } catch (error) {
    return `no network namespaces can be made here: ${(error as Error).message}`;
  }
}

const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  arping: 'iputils-arping',
  ndptool: 'libndp-tools',
  nft: 'nftables',
};

function isThere(program: string): boolean {
  try {
    run('sh', '-c', `command -v ${program}`);
    return true;
  } catch {
    return false;
  }
}
