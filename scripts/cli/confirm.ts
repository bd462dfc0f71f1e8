import { createInterface } from 'node:readline/promises';
import { UserError } from '@understudy/shared/runtime/errors';

export interface Confirmation {
  /** What is about to be done, and what it costs. */
  readonly text: string;
  readonly pair: string;
  /** The pair's name as a script gives it; null: it is asked for. */
  readonly given: string | null;
}

/** Wants the pair's name typed, at a terminal or by `--yes`. Throws `UserError` without it: nothing was done. */
export async function confirmByName({ text, pair, given }: Confirmation): Promise<void> {
  process.stderr.write(`${text}\n`);
  const typed = given ?? (await askAtTerminal(`Type the pair's name to do it: `));
  if (typed === pair) return;
  throw new UserError(
    typed === null
      ? `nothing was done: nobody can be asked here, --yes ${pair} does it without asking`
      : `nothing was done: "${typed}" is not the name of this pair, ${pair}`,
  );
}

/** What somebody types at the terminal; null when there is none. */
export async function askAtTerminal(question: string): Promise<string | null> {
  if (!process.stdin.isTTY) return null;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}
