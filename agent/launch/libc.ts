import { promisify } from 'node:util';
import koffi from 'koffi';

/** What of the C library is needed to start a program without a copy of this process. */
export interface Libc {
  /**
   * Starts a program in a session of its own; gives its pid, or null when that did not work. The thread that does it
   * sleeps until the program has its own memory, which takes as long as it takes to get a processor: so it is
   * another one than that of the caller.
   */
  spawn(program: Spawned): Promise<number | null>;
  /** The status of a child that has ended, which is then gone for good; null while it lives. */
  reap(pid: number): number | null;
}

export interface Spawned {
  readonly command: readonly string[];
  /** NAME=VALUE */
  readonly env: readonly string[];
  readonly cwd: string | null;
  readonly output: number;
}

/** Finds a function of the library by its name. */
type Pick = (name: string, parameters: string) => (...given: unknown[]) => number;

/** Their layout is the C library's affair; in glibc and musl the largest has 336 bytes. */
const ROOM = 1_024;
const RESET_SIGNALS = 0x04;
const SET_SIGNAL_MASK = 0x08;
const NEW_SESSION = 0x80;
const WITHOUT_WAITING = 1;

/** Opens the C library of this host. Throws where it lacks something: glibc before 2.29, musl before 1.1.24. */
export function openLibc(): Libc {
  const library = koffi.load(null);
  const pick: Pick = (name, parameters) => library.func(`int ${name}(${parameters})`);
  const texts = 'const char **argv, const char **envp';
  const posixSpawn = promisify(
    library.func(`int posix_spawn(void *pid, const char *path, void *f, void *a, ${texts})`).async,
  ) as (...given: unknown[]) => Promise<number>;
  const waitpid = pick('waitpid', 'int pid, void *status, int options');
  const begin = pick('posix_spawn_file_actions_init', 'void *f');
  const open = pick(
    'posix_spawn_file_actions_addopen',
    'void *f, int fd, const char *path, int flags, unsigned int mode',
  );
  const duplicate = pick('posix_spawn_file_actions_adddup2', 'void *f, int fd, int as');
  const enter = pick('posix_spawn_file_actions_addchdir_np', 'void *f, const char *path');
  const destroy = pick('posix_spawn_file_actions_destroy', 'void *f');
  const attributes = makeAttributes(pick);
  const status = new Int32Array(1);
  return {
    spawn: async ({ command, env, cwd, output }) => {
      const pid = new Int32Array(1);
      const actions = Buffer.alloc(ROOM);
      succeed('posix_spawn_file_actions_init', begin(actions));
      try {
        succeed('addopen', open(actions, 0, '/dev/null', 0, 0));
        succeed('adddup2', duplicate(actions, output, 1));
        succeed('adddup2', duplicate(actions, output, 2));
        if (cwd !== null) succeed('addchdir_np', enter(actions, cwd));
        const [argv, envp] = [
          [...command, null],
          [...env, null],
        ];
        const code = await posixSpawn(pid, command[0] ?? '', actions, attributes, argv, envp);
        return code === 0 ? (pid[0] ?? null) : null;
      } finally {
        destroy(actions);
      }
    },
    reap: (pid) => {
      const ended = waitpid(pid, status, WITHOUT_WAITING);
      if (ended < 0) throw new Error(`waitpid: ${pid} is no child of this process any more`);
      return ended === pid ? (status[0] ?? 0) : null;
    },
  };
}

/** A session of its own, and signals as a program expects them: none blocked, none ignored. */
function makeAttributes(pick: Pick): Buffer {
  const attributes = Buffer.alloc(ROOM);
  // Sets of signals have a bit for each. The library's own way to fill one leaves out two that it uses itself.
  const [all, none] = [Buffer.alloc(ROOM, 0xff), Buffer.alloc(ROOM)];
  const set = (name: string, what: string, value: Buffer | number): void =>
    succeed(name, pick(`posix_spawnattr_${name}`, `void *a, ${what}`)(attributes, value));
  succeed('init', pick('posix_spawnattr_init', 'void *a')(attributes));
  set('setflags', 'short flags', RESET_SIGNALS | SET_SIGNAL_MASK | NEW_SESSION);
  set('setsigdefault', 'void *set', all);
  set('setsigmask', 'void *set', none);
  return attributes;
}

function succeed(what: string, code: number): void {
  if (code !== 0) throw new Error(`${what} of the C library gave ${code}`);
}
