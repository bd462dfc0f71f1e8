import { basename, dirname } from 'node:path/posix';
import { lineAt, type SourceFile } from '../source.ts';

/** How long a file may be before it holds more than one idea. */
export const MAX_LINES = 400;

// Written with classes, so that this file does not find itself.
const LEFTOVER = /\b(?:[Tt][Oo][Dd][Oo]|[Ff][Ii][Xx][Mm][Ee]|X[X]X|HA[C]K)\b/g;
const SKIPPED_TEST = /\btest(?:\.\w+)*\.(?:skip|only|t[o]do|failing)\b/g;
const CONSOLE = /\bconsole\s*\.\s*\w+/g;
const DEFAULT_EXPORT = /\bexport\s+default\b|\bas\s+default\b/g;
const WEAK_LIMIT = /\bAbortSignal\s*\.\s*any\s*\([^;]*?\bAbortSignal\s*\.\s*timeout\b/g;
const KEBAB_FILE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?\.ts$/;
const KEBAB_FOLDER = /^\.?[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Words in any text of the tree that say "not finished". */
export function leftoverFaults(path: string, text: string): string[] {
  return found(path, text, LEFTOVER, 'left over');
}

/** Tests that are switched off, or switch off others. */
export function skippedTestFaults(file: SourceFile): string[] {
  return found(file.path, file.code, SKIPPED_TEST, 'a test that does not count');
}

/** Printing is the commands' business; everything else has a log. */
export function consoleFaults(file: SourceFile): string[] {
  const prints = file.path.startsWith('scripts/') || file.path.startsWith('test/smoke/');
  return prints ? [] : found(file.path, file.code, CONSOLE, 'prints past the log');
}

export function defaultExportFaults(file: SourceFile): string[] {
  return found(file.path, file.code, DEFAULT_EXPORT, 'exports without a name');
}

/** What `shared/runtime/time-limit.ts` is for: such a limit may be collected before it is over. */
export function weakLimitFaults(file: SourceFile): string[] {
  return found(file.path, file.code, WEAK_LIMIT, 'a time limit that may never end');
}

export function lengthFaults(file: SourceFile): string[] {
  const lines = file.text.split('\n').length - 1;
  return lines <= MAX_LINES ? [] : [`${file.path} has ${lines} lines: more than one idea?`];
}

/** Names of TypeScript files and of the folders that they are in. */
export function nameFaults(path: string): string[] {
  const folders = dirname(path).split('/');
  const odd = folders.filter((folder) => folder !== '.' && !KEBAB_FOLDER.test(folder));
  if (path.endsWith('.ts') && !KEBAB_FILE.test(basename(path))) odd.push(basename(path));
  return odd.map((name) => `${path}: ${name} is not in kebab case`);
}

function found(path: string, text: string, pattern: RegExp, what: string): string[] {
  return Array.from(
    text.matchAll(pattern),
    (match) => `${path}:${lineAt(text, match.index)} ${what}: ${match[0]}`,
  );
}
