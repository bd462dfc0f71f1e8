import { readFileSync } from 'node:fs';
import { formatTerm, parseTerm, type Term } from '@understudy/shared/kernel/term';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import { replaceFile } from './replace-file.ts';

/** The highest term that this agent has seen, as kept on disk; 0 when it has seen none. */
export function readTerm(path: string): Term {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0n;
    throw error;
  }
  const term = parseTerm(text.trim());
  if (term === null) {
    throw new UserError(
      `${path} holds ${JSON.stringify(text.slice(0, 40))}, expected the highest term seen, a whole number; correct it to the pair's term (understudy status)`,
      exitCodes.badConfig,
    );
  }
  return term;
}

/** Keeps a higher term; on return it is on disk, so that an order of that term may be acted on. */
export async function writeTerm(path: string, term: Term): Promise<void> {
  await replaceFile(path, `${formatTerm(term)}\n`);
}
