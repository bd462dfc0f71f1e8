import { readFileSync } from 'node:fs';
import { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into a process of a test before anything else (`--import`). A controller then does what the file
 * that `TEST_MISCHIEF` names says: at its start, or when it gets SIGWINCH.
 */
export type Mischief =
  /** Ends before it has done anything. */
  | 'crash-at-start'
  /** Never gets to do anything. */
  | 'hang-at-start'
  /** A promise is rejected that nobody waits for. */
  | 'reject'
  /** Something is thrown where nobody catches. */
  | 'throw'
  /** Takes all the memory that it may have. */
  | 'leak'
  /** Takes requests, and answers none. */
  | 'deaf'
  /** Its port is closed, and nobody in it knows. */
  | 'shut-door';

const path = process.env['TEST_MISCHIEF'];
const isController = process.argv[1]?.endsWith('controller/dist/main.js') === true;

if (path !== undefined && isController && isMainThread) {
  const atStart = read(path);
  if (atStart === 'crash-at-start') process.exit(1);
  if (atStart === 'hang-at-start') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  process.on('SIGWINCH', () => doIt(read(path)));
}

function doIt(mischief: Mischief | null): void {
  if (mischief === 'reject') void Promise.reject(new Error('a mischief of the tests'));
  if (mischief === 'throw') throw new Error('a mischief of the tests');
  if (mischief === 'leak')
    for (const kept: unknown[] = []; ; ) kept.push(new Array(1_000).fill({}));
  if (mischief === 'shut-door') shutDoor();
  if (mischief === 'deaf') {
    Server.prototype.emit = function emit(this: Server, event: string | symbol): boolean {
      return event === 'request';
    };
  }
}

/** Whoever is connected stays so. */
function shutDoor(): void {
  const emit = Server.prototype.emit;
  Server.prototype.emit = function shut(this: Server, event: string | symbol, ...args: unknown[]) {
    if (this.listening) NetServer.prototype.close.call(this);
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  };
}

function read(file: string): Mischief | null {
  try {
    return readFileSync(file, 'utf8').trim() as Mischief;
  } catch {
    return null;
  }
}
