import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ExecutionContext } from 'ava';
import type { Store } from './store.ts';

/** A client of the database in a process of its own. */
export interface Writer {
  /** Sends a statement and gives the answer, a line that begins with `done` or `failed`. */
  execute(statement: string): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Kills it, and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts a writer; it is killed when the test ends. */
export async function startWriter(t: ExecutionContext, store: Store): Promise<Writer> {
  const program = join(import.meta.dirname, 'writer-process.js');
  const child = spawn(process.execPath, [program, store.database, store.schema], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(kill);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => {
    const { value } = await lines.next();
    return String(value);
  };
  const connected = await nextLine();
  if (!connected.startsWith('done')) throw new Error(connected);
  return {
    execute: (statement) => {
      child.stdin.write(`${statement}\n`);
      return nextLine();
    },
    signal: (signal) => {
      child.kill(signal);
    },
    kill,
  };
}
