import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSource, type SourceFile } from './source.ts';

/** The root of the checkout, seen from the compiled test. */
export const root: string = fileURLToPath(new URL('../../../', import.meta.url));

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.understudy']);

/** Paths of all files that people wrote, relative to the root, with `/`. */
export function listFiles(): string[] {
  return walk(root).map((path) => relative(root, path));
}

/** All TypeScript of the tree, parsed for the rules. */
export function readSources(): SourceFile[] {
  return listFiles()
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}
