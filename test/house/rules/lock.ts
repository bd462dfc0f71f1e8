interface Locked {
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A lock file that names download addresses ties everyone to one registry. */
export function lockAddresses(text: string): string[] {
  return entriesOf(text).flatMap(([path, { resolved = '' }]) =>
    /^[a-z+]+:\/\//.test(resolved) ? [`${path} is bound to ${resolved}`] : [],
  );
}

/** A lock file that leaves out what a package needs, on this platform or on another, breaks `npm ci`. */
export function lockGaps(text: string): string[] {
  const entries = entriesOf(text);
  const paths = new Set(entries.map(([path]) => path));
  return entries.flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !placesFor(path, name).some((place) => paths.has(place)))
      .map((name) => `${path || 'the root'} needs ${name}, which is not in the lock file`),
  );
}

function entriesOf(text: string): [string, Locked][] {
  return Object.entries((JSON.parse(text) as { packages: Record<string, Locked> }).packages);
}

/** Where Node looks for a package: beside the one that asks, and in every folder above. */
function placesFor(path: string, name: string): string[] {
  const parts = path === '' ? [] : path.split('/');
  return Array.from({ length: parts.length + 1 }, (_, count) =>
    [...parts.slice(0, count), 'node_modules', name].join('/'),
  );
}
