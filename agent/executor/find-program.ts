import { accessSync, constants, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

export type Found =
  | { readonly type: 'found'; readonly path: string }
  | { readonly type: 'missing'; readonly reason: string };

/**
 * Looks a program up as execvp does. Done before the start, because the program that ties an attempt
 * to its worker could only tell by an exit code that there was nothing to start. `cwd` is where it starts,
 * if that is another folder than ours.
 */
export function findProgram(name: string, searchPath: string, cwd: string | null = null): Found {
  const check = (path: string) => problemOf(path, cwd === null ? path : resolve(cwd, path));
  if (name.includes('/')) return check(name) ?? { type: 'found', path: name };
  let denied: Found | null = null;
  for (const folder of searchPath.split(':')) {
    const path = join(folder === '' ? '.' : folder, name);
    const problem = check(path);
    if (problem === null) return { type: 'found', path: path.includes('/') ? path : `./${path}` };
    if (!problem.reason.startsWith('ENOENT')) denied ??= problem;
  }
  return denied ?? missing(`ENOENT: no program ${JSON.stringify(name)} in ${searchPath}`);
}

function problemOf(path: string, at: string): (Found & { type: 'missing' }) | null {
  try {
    if (statSync(at).isDirectory()) return missing(`EACCES: ${path} is a folder`);
    accessSync(at, constants.X_OK);
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'EACCES') return missing(`EACCES: ${path} may not be executed`);
    return missing(`${code === 'ENOTDIR' ? 'ENOENT' : code}: no program ${path}`);
  }
}

function missing(reason: string): Found & { type: 'missing' } {
  return { type: 'missing', reason };
}
