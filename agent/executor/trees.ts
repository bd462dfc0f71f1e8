/**
 * Trees of processes: what an attempt's main process, or a module host, has started, and that started in
 * turn. A tree is over when nothing of it is left. Who belongs to it is known by group, session, descent
 * and a mark in the environment; in a cgroup also by there being nobody else whose it could be.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { killGroup } from '@understudy/shared/runtime/child';
import type { Cgroup } from './cgroup.ts';
import { type Kin, keyOf, membersOf } from './kinship.ts';
import { allPids, isThere, kinOf, lastPid, startTicksOf } from './process-table.ts';
import { Starts } from './starts.ts';

export interface Trunk {
  readonly pid: number;
  /** Whether a process with this environment belongs to it. */
  readonly carries: (environment: string) => boolean;
  /** Whether it may have started what nobody lays claim to. Default: yes. */
  readonly isSuspect?: () => boolean;
}

/** How the end of a tree went. */
export interface Remains {
  /** So many processes were left behind and had to be killed. */
  readonly killed: number;
  /** Those that live on although they were sent SIGKILL. */
  readonly survivors: readonly number[];
  /** Processes of which nobody can say whether they belong to this tree or to another one that goes on. */
  readonly doubtful: readonly number[];
}

const NOTHING: Remains = { killed: 0, survivors: [], doubtful: [] };

/** Who lives on for so long after SIGKILL is stuck in the kernel. */
const STUCK_AFTER_MS = 5_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;
/** So long a tree may last for its members to be looked for among younger pids only. */
const SHORT_MS = 2_000;

/** All trees of one worker. */
export class Trees {
  readonly #cgroup: Cgroup | null;
  readonly #trees = new Set<Tree>();
  readonly #starts = new Starts();

  constructor(cgroup: Cgroup | null) {
    this.#cgroup = cgroup;
  }

  /** A process is about to be started. To be called: when its tree was added, or when there will be none. */
  expect(): () => void {
    return this.#starts.begin();
  }

  /** A process was started from which others may come. */
  add(trunk: Trunk): Tree {
    const tree = new Tree(trunk, this);
    this.#trees.add(tree);
    this.#starts.came(trunk.pid);
    return tree;
  }

  remove(tree: Tree): void {
    this.#trees.delete(tree);
  }

  /**
   * Whether nobody can have been left behind by a tree that has just lost its first process: all who are in the cgroup
   * are first processes of others, or were just being started as such. Had the tree left anybody behind, he or
   * who started him would be among those who are there now. `seen` as for `strays`.
   */
  async isNobodyLeft(seen: Map<string, number>): Promise<boolean> {
    const others = this.#othersThanTrunks();
    const { last } = this.#starts;
    if (others === null) return false;
    if (await this.#starts.explain(others, LONGEST_PAUSE_MS)) return true;
    for (const kin of kinOf(others)) seen.set(keyOf(kin), last);
    return false;
  }

  /** Whether all of these, who live, are what is being started. What is started from now on is nobody's remains. */
  async areStarts(unclear: readonly Kin[]): Promise<boolean> {
    return await this.#starts.explain(pidsOf(unclear), LONGEST_PAUSE_MS);
  }

  /** Processes that may belong to a tree whose members have pids above this one, should that be asked. */
  candidates(above: () => number): Kin[] {
    if (this.#cgroup === null) return kinOf(allPids(above())).filter(({ pid }) => !isSpared(pid));
    return kinOf(this.#cgroup.pids().filter((pid) => !isSpared(pid)));
  }

  /** Who is in the cgroup and is not the first process of a tree; null where there is none. */
  #othersThanTrunks(): number[] | null {
    if (this.#cgroup === null) return null;
    const trunks = new Set([...this.#trees].filter((tree) => tree.isAlive).map(({ pid }) => pid));
    return this.#cgroup.pids().filter((pid) => !isSpared(pid) && !trunks.has(pid));
  }

  /**
   * Of who is in the cgroup: those that no living tree lays claim to, nor the one that asks. Who was first
   * seen while something was being started may be what was started: he is judged when that is known. `seen`
   * belongs to the one that asks, and tells of each stray which start was the last one then.
   */
  strays(asking: Tree, table: readonly Kin[], seen: Map<string, number>): Strays {
    if (this.#cgroup === null || table.length === 0) return { own: [], doubtful: [], unclear: [] };
    const others = [...this.#trees].filter((tree) => tree !== asking);
    const claimed = new Set([asking, ...others].flatMap((tree) => tree.membersOf(table)));
    const unclaimed = table.filter((kin) => !claimed.has(kin));
    for (const kin of unclaimed) {
      if (!seen.has(keyOf(kin))) seen.set(keyOf(kin), this.#starts.last);
    }
    const { firstOpen } = this.#starts;
    const isClear = (kin: Kin): boolean => (seen.get(keyOf(kin)) ?? 0) < firstOpen;
    const strays = unclaimed.filter(isClear);
    const isOwn = ({ startTime }: Kin): boolean =>
      others.every((tree) => !tree.isSuspect || tree.startTicks > Number(startTime));
    return {
      own: strays.filter(isOwn),
      doubtful: strays.filter((kin) => !isOwn(kin)),
      unclear: unclaimed.filter((kin) => !isClear(kin)),
    };
  }
}

interface Strays {
  /** They can come from nobody but the tree that asks. */
  readonly own: Kin[];
  /** They may come from it or from another one. */
  readonly doubtful: Kin[];
  /** They may just have been started. */
  readonly unclear: Kin[];
}

export class Tree {
  readonly #trunk: Trunk;
  readonly #trees: Trees;
  readonly #known = new Set<string>();
  readonly #startedAtMs = performance.now();
  /** When the first process of it was started, in clock ticks since the boot. */
  readonly startTicks: number;
  isAlive = true;

  constructor(trunk: Trunk, trees: Trees) {
    this.#trunk = trunk;
    this.#trees = trees;
    this.startTicks = startTicksOf(trunk.pid);
  }

  get isSuspect(): boolean {
    return this.#trunk.isSuspect?.() ?? true;
  }

  get pid(): number {
    return this.#trunk.pid;
  }

  membersOf(table: readonly Kin[]): Kin[] {
    const { pid: root, carries } = this.#trunk;
    return membersOf({ root, known: this.#known, carries, isThere }, table);
  }

  /** Sends a signal to all that belongs to it. Who may not be signalled is seen to survive. */
  signal(signal: NodeJS.Signals): void {
    const members = this.membersOf(this.#candidates());
    killGroupIfAllowed(this.pid, signal);
    for (const member of members) {
      this.#known.add(keyOf(member));
      if (member.group !== this.pid) killIfAllowed(member, signal);
    }
  }

  /**
   * The first process has ended: what is left gets so long to end by itself, then it is killed. Resolves
   * when nothing is left, or nothing that could be done something about.
   */
  async end(withinMs: number): Promise<Remains> {
    this.isAlive = false;
    const killAtMs = performance.now() + withinMs;
    const seen = new Map<string, number>();
    if (await this.#trees.isNobodyLeft(seen)) {
      this.#trees.remove(this);
      return NOTHING;
    }
    const killed = new Set<string>();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const table = this.#candidates();
      const members = this.membersOf(table);
      const { own, doubtful, unclear } = this.#trees.strays(this, table, seen);
      const left = [...members, ...own];
      const nowMs = performance.now();
      const isStuck = killed.size > 0 && nowMs > killAtMs + STUCK_AFTER_MS;
      const isOver = left.length === 0 && (await this.#trees.areStarts(unclear));
      if (isOver || isStuck) {
        this.#trees.remove(this);
        if (killed.size + left.length + doubtful.length === 0) return NOTHING;
        return { killed: killed.size, survivors: pidsOf(left), doubtful: pidsOf(doubtful) };
      }
      for (const each of left) {
        if (nowMs < killAtMs && !this.#known.has(keyOf(each))) killIfAllowed(each, 'SIGTERM');
        this.#known.add(keyOf(each));
      }
      if (nowMs >= killAtMs) {
        killGroupIfAllowed(this.pid, 'SIGKILL');
        for (const each of left) {
          killed.add(keyOf(each));
          killIfAllowed(each, 'SIGKILL');
        }
      }
      await delay(pauseMs);
    }
  }

  /** Descendants have higher pids, unless the numbers have wrapped around. */
  #candidates(): Kin[] {
    const isShort = performance.now() - this.#startedAtMs < SHORT_MS;
    return this.#trees.candidates(() => (isShort && lastPid() >= this.pid ? this.pid - 1 : 0));
  }
}

function pidsOf(table: readonly Kin[]): number[] {
  return table.map(({ pid }) => pid);
}

function isSpared(pid: number): boolean {
  return pid === process.pid || pid === process.ppid || pid === 1;
}

function killGroupIfAllowed(pgid: number, signal: NodeJS.Signals): void {
  ifAllowed(() => killGroup(pgid, signal));
}

function killIfAllowed(target: Kin, signal: NodeJS.Signals): void {
  // The identity is read again right before the signal: the pid may belong to somebody else by now.
  if (kinOf([target.pid])[0]?.startTime !== target.startTime) return;
  ifAllowed(() => process.kill(target.pid, signal));
}

/** Who has ended meanwhile is fine. */
function ifAllowed(signal: () => void): void {
  try {
    signal();
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
