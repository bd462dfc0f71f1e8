import { rmSync } from 'node:fs';

/** Places at which a test makes this process die. */
export interface Failpoints<Place extends string> {
  /** Does not return if this process is to die here. */
  pass(place: Place): void;
}

/**
 * Reads which places are armed: names, separated by commas. `NAME` kills this process with SIGKILL at that
 * place, `NAME=FILE` only while the file exists; it removes the file first, so that just one process dies.
 */
export function readFailpoints<Place extends string>(text: string | undefined): Failpoints<Place> {
  const armed = new Map(
    (text ?? '').split(',').map((part) => {
      const [name = '', file = null] = part.split('=', 2);
      return [name, file] as const;
    }),
  );
  return {
    pass: (place) => {
      const file = armed.get(place);
      if (file === undefined || (file !== null && !takeAway(file))) return;
      process.kill(process.pid, 'SIGKILL');
      blockForGood();
    },
  };
}

function takeAway(file: string): boolean {
  try {
    rmSync(file);
    return true;
  } catch {
    return false;
  }
}

/** The signal may need a moment to arrive. */
export function blockForGood(): never {
  for (;;);
}
