import { exitCodes, UserError } from '../errors.ts';

/** One thing wrong with a configuration. `key` is empty for the file as a whole. */
export interface Problem {
  readonly key: string;
  readonly text: string;
  /** Where the value came from; null for rules between several values. */
  readonly source: string | null;
}

/** More than this nobody reads; the last line says how many are left. */
const MOST_SHOWN = 100;

/** All problems as one error: what nobody wants is to learn of them one start at a time. */
export function configError(problems: readonly Problem[], file: string | null): UserError {
  const lines = problems.slice(0, MOST_SHOWN).map(({ key, text, source }) => {
    const where = source === null ? '' : ` (${source})`;
    return `  ${key === '' ? '' : `${key} `}${text}${where}`;
  });
  const left = problems.length - lines.length;
  if (left > 0) lines.push(`  and ${left} more`);
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
  const from = file === null ? ' (there is no file; --config names one)' : '';
  const head = `the configuration${from} has ${count}; nothing was started:`;
  return new UserError([head, ...lines].join('\n'), exitCodes.badConfig);
}
