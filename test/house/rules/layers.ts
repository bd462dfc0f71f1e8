import { dirname, join } from 'node:path/posix';
import type { Import, SourceFile } from '../source.ts';

/** Folders whose code decides and touches nothing: no clock, timer, promise or package. */
export const pureFolders = [
  'shared/kernel',
  'heartbeat/role',
  'heartbeat/suspicion',
  'heartbeat/address/plan',
  'controller/schedule',
  'controller/dispatch',
  'agent/follow',
  'agent/attempt',
] as const;

/** Pure as well, but described in zod: what travels. */
const PROTOCOL = 'shared/protocol';

/** The only places that may know these packages. */
const adapterFolders = [
  'shared/runtime',
  'heartbeat/lease',
  'heartbeat/peer',
  'heartbeat/http',
  'heartbeat/supervise',
  'heartbeat/guard',
  'controller/store',
  'controller/http',
  'controller/stream',
  'controller/console',
  'agent/launch',
  'agent/worker',
  'agent/supervise',
  'scripts',
  'test',
] as const;
const adapterPackages = ['pg', 'koa', '@koa/router', 'axios', 'koffi'] as const;

const workspaces = ['shared', 'heartbeat', 'controller', 'agent', 'scripts', 'test'] as const;
type Workspace = (typeof workspaces)[number];

const mayImport: Readonly<Record<Workspace, readonly Workspace[]>> = {
  shared: [],
  heartbeat: ['shared'],
  controller: ['shared'],
  agent: ['shared'],
  scripts: ['shared', 'heartbeat', 'controller', 'agent'],
  test: ['shared', 'heartbeat', 'controller', 'agent', 'scripts'],
};

/** Which imports of a file point against the one direction that the house allows. */
export function layerFaults(file: SourceFile): string[] {
  return file.imports.flatMap((imported) => {
    const target = resolve(file.path, imported.specifier);
    const why = workspaceFault(file, target) ?? pureFault(file, imported, target);
    const fault = why ?? packageFault(file, imported);
    return fault === null ? [] : [`${file.path} imports ${imported.specifier}: ${fault}`];
  });
}

export function isPure(path: string): boolean {
  return pureFolders.some((folder) => path.startsWith(`${folder}/`));
}

function workspaceFault(file: SourceFile, target: string | null): string | null {
  const [from, to] = [workspaceOf(file.path), target === null ? null : workspaceOf(target)];
  if (from === null || to === null || from === to) return null;
  return mayImport[from].includes(to) ? null : `${from} must not know ${to}`;
}

function pureFault(file: SourceFile, imported: Import, target: string | null): string | null {
  const inProtocol = file.path.startsWith(`${PROTOCOL}/`);
  if (!isPure(file.path) && !inProtocol) return null;
  if (target === null) {
    const allowed = inProtocol && imported.specifier === 'zod';
    return allowed ? null : 'pure code uses no package';
  }
  if (target.startsWith('shared/kernel/')) return null;
  if (file.path.startsWith('shared/kernel/')) return 'the kernel stands on nothing';
  if (target.startsWith(`${PROTOCOL}/`)) return null;
  if (inProtocol) return 'the protocol stands on the kernel alone';
  const own = workspaceOf(file.path) === workspaceOf(target);
  if (own && isPure(target)) return null;
  if (own && imported.typeOnly && /(^|\/)port\.ts$/.test(target)) return null;
  return 'pure code stands on pure code, and on the types of a port';
}

function packageFault(file: SourceFile, imported: Import): string | null {
  const known = adapterPackages.some(
    (name) => imported.specifier === name || imported.specifier.startsWith(`${name}/`),
  );
  if (!known || adapterFolders.some((folder) => file.path.startsWith(`${folder}/`))) return null;
  return 'only adapters know this package';
}

/** The path in the tree that a specifier means; null for a package or a part of Node. */
function resolve(from: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return join(dirname(from), specifier);
  const own = /^@understudy\/(.+)$/.exec(specifier)?.[1];
  return own === undefined ? null : `${own}.ts`;
}

function workspaceOf(path: string): Workspace | null {
  return workspaces.find((name) => path.startsWith(`${name}/`)) ?? null;
}
