import { statSync } from 'node:fs';
import type { Executed } from './execute.ts';
import { type HostedOrder, HostProcess } from './host-process.ts';
import type { Trees } from './trees.ts';

export interface ModuleHostsOptions {
  /** The environment of a host. */
  readonly env: Readonly<Record<string, string>>;
  readonly trees: Trees;
  /** Something went wrong in a host that belongs to no attempt. */
  readonly onFault: (reason: string) => void;
}

/** When each host is kept from answering by what runs in it, there are no more than this. */
const MOST_HOSTS = 8;
/** A host with nothing to do is ended after so long. */
const IDLE_MS = 300_000;

/**
 * The module hosts of a worker: one, as long as it answers and the modules on the disk stay as they are.
 * Another one takes its place when a module has changed, when something in it does not end, and when it
 * breaks down.
 */
export class ModuleHosts {
  readonly #options: ModuleHostsOptions;
  readonly #hosts = new Set<HostProcess>();
  /** What each host has loaded: the versions of modules by path. */
  readonly #loaded = new WeakMap<HostProcess, Map<string, string>>();

  constructor(options: ModuleHostsOptions) {
    this.#options = options;
    setInterval(() => this.#retireIdle(), IDLE_MS / 5).unref();
  }

  start(order: HostedOrder): Executed {
    const { action } = order.start;
    if (action.type === 'http') return { type: 'running', running: this.#any().start(order) };
    const { path } = action.module;
    const version = versionOf(path);
    if (version === null) return { type: 'not-started', reason: `ENOENT: no module ${path}` };
    return { type: 'running', running: this.#hostFor(path, version).start(order) };
  }

  #hostFor(path: string, version: string): HostProcess {
    for (const host of this.#usable()) {
      const known = this.#loaded.get(host)?.get(path);
      // What a process has loaded it keeps: a module that has changed needs another one.
      if (known !== undefined && known !== version) host.retire();
    }
    const host = this.#any();
    this.#loaded.get(host)?.set(path, version);
    return host;
  }

  #any(): HostProcess {
    const usable = this.#usable();
    const free = usable.find((host) => !host.isBusy);
    if (free !== undefined) return free;
    const [first] = usable;
    return first !== undefined && usable.length >= MOST_HOSTS ? first : this.#open();
  }

  #usable(): HostProcess[] {
    return [...this.#hosts].filter((host) => !host.isRetired);
  }

  #open(): HostProcess {
    const { env, trees, onFault } = this.#options;
    const host: HostProcess = new HostProcess({
      ...{ env, trees, onFault },
      onGone: () => this.#hosts.delete(host),
    });
    this.#hosts.add(host);
    this.#loaded.set(host, new Map());
    return host;
  }

  #retireIdle(): void {
    const sinceMs = performance.now() - IDLE_MS;
    for (const host of this.#usable()) {
      if (host.isIdle && host.idleSinceMs < sinceMs) host.retire();
    }
  }
}

/** Tells one state of a file from another. */
function versionOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? `${found.ino} ${found.size} ${found.mtimeMs}` : null;
}
