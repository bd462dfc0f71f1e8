/** How the program of an attempt comes to life, and how its end is learnt. */

export interface Launch {
  /** What is started, by a path. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder in which it starts; null: ours. */
  readonly cwd: string | null;
  /** An open file that gets standard output and standard error. */
  readonly output: number;
}

export interface Exit {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface Launched {
  readonly pid: number;
  readonly exited: Promise<Exit>;
}

/** Starts a program in a session of its own, with nothing to read. Rejects when it could not be started. */
export type Launcher = (launch: Launch) => Promise<Launched>;
