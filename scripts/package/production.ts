/** What a lock file says of one package. */
export interface LockedPackage {
  readonly version?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface ProductionOptions {
  /** The entries of package-lock.json by their place, `node_modules/pg` or `controller`. */
  readonly packages: Readonly<Record<string, LockedPackage>>;
  /** The places of the packages that are wanted with all that they need. */
  readonly roots: readonly string[];
  /** Packages that are left out, and what only they need with them. */
  readonly without: readonly string[];
  /** Whether npm has installed what lies at a place: what is optional may be for other platforms only. */
  readonly isThere: (place: string) => boolean;
}

/**
 * The places of all packages that the roots need to run, sorted, without the roots themselves. Looks for each
 * where Node would. Throws when one is in the lock file's words needed and not in it; what is optional may be missing.
 */
export function productionPlaces(options: ProductionOptions): readonly string[] {
  const { packages, roots, without, isThere } = options;
  const found = new Set<string>();
  const open = [...roots];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { dependencies = {}, optionalDependencies = {} } = packages[place] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (without.includes(name)) continue;
      const needed = placesFor(place, name).find((each) => packages[each] !== undefined);
      if (Object.hasOwn(optionalDependencies, name) && !(needed && isThere(needed))) continue;
      if (needed === undefined) {
        throw new Error(`${place} needs ${name}, which is not in the lock file`);
      }
      if (found.has(needed) || packages[needed]?.link === true) continue;
      found.add(needed);
      open.push(needed);
    }
  }
  return [...found].sort();
}

/** Where Node looks for a package: beside the one that asks, and in every folder above. */
function placesFor(from: string, name: string): string[] {
  const parts = from.split('/');
  return Array.from({ length: parts.length + 1 }, (_, above) =>
    [...parts.slice(0, parts.length - above), 'node_modules', name].join('/'),
  );
}
