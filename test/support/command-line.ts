import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf } from '@understudy/shared/runtime/errors';

/** The arguments of a program for developers. `--help` and what it does not know end it, with its usage. */
export function readArguments<const T extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return endWith(`${messageOf(error)}\n\n${usage}`);
  }
}

/** A number of at least `least`, or an end that names the option, what it holds and what is expected. */
export function numberOf(option: string, value: string, least: number, isWhole = true): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (number >= least && (isWhole ? Number.isSafeInteger(number) : Number.isFinite(number))) {
    return number;
  }
  const kind = isWhole ? 'a whole number' : 'a number';
  return endWith(`${option} is ${JSON.stringify(value)}: expected ${kind} from ${least} on\n`);
}

function endWith(text: string): never {
  process.stderr.write(text);
  process.exit(2);
}
