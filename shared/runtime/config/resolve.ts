import type { Key, Keys, ValueOf } from './keys.ts';
import { masked } from './mask.ts';
import type { Problem } from './problems.ts';
import { shown } from './shown.ts';
import {
  type ConfigSources,
  collectFound,
  type Environment,
  environmentName,
  type Found,
} from './sources.ts';
import { readYaml } from './yaml.ts';

/** One effective value: as it was given, with `env:NAME` filled in, and where it came from. */
export interface Entry {
  readonly given: unknown;
  readonly source: string;
}

export interface Resolved<K extends Keys> {
  /** Complete only when there are no problems. */
  readonly values: { readonly [Name in keyof K]: ValueOf<K[Name]> };
  readonly entries: ReadonlyMap<string, Entry>;
  readonly problems: Problem[];
}

/** Finds the effective value of every key and checks each by itself. Notes every problem, throws none. */
export function resolveKeys<K extends Keys>(sources: ConfigSources, keys: K): Resolved<K> {
  const problems: Problem[] = [];
  const found = collectFound(sources, keys, problems);
  const entries = new Map<string, Entry>();
  const values: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(keys)) {
    const entry = entryOf(name, key, found.get(name), sources.env, problems);
    if (entry === null) continue;
    entries.set(name, entry);
    values[name] = checkedValue(name, key, entry, problems);
  }
  return { values: values as Resolved<K>['values'], entries, problems };
}

function entryOf(
  name: string,
  key: Key<unknown>,
  found: Found | undefined,
  env: Environment,
  problems: Problem[],
): Entry | null {
  if (found === undefined) {
    if (key.presence !== 'required') return { given: key.fallback, source: 'default' };
    const text = `is missing; expected ${key.kind.expected} (in the file, or as ${environmentName(name)})`;
    problems.push({ key: name, text, source: null });
    return null;
  }
  const missing: string[] = [];
  const { value, names } = fillIn(found.value, env, missing);
  const source = names.length === 0 ? found.source : `${found.source}, env:${names.join(', env:')}`;
  for (const variable of missing) {
    const text = `holds env:${variable}, but the environment variable ${variable} is not set`;
    problems.push({ key: name, text, source: found.source });
  }
  if (missing.length > 0) return null;
  const isText = found.text || (typeof value === 'string' && names.length > 0);
  return { given: isText ? fromText(value, key) : value, source };
}

/** Puts the environment's values where `env:NAME` stands, at any depth. */
function fillIn(
  value: unknown,
  env: Environment,
  missing: string[],
): { readonly value: unknown; readonly names: readonly string[] } {
  const names: string[] = [];
  const fill = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.map(fill);
    if (typeof each === 'object' && each !== null) {
      return Object.fromEntries(Object.entries(each).map(([name, inner]) => [name, fill(inner)]));
    }
    const variable = typeof each === 'string' ? /^env:(.+)$/.exec(each)?.[1] : undefined;
    if (variable === undefined) return each;
    names.push(variable);
    if (env[variable] === undefined) missing.push(variable);
    return env[variable];
  };
  return { value: fill(value), names };
}

function fromText(value: unknown, key: Key<unknown>): unknown {
  if (key.kind.fromText === 'as-is' || typeof value !== 'string') return value;
  const read = readYaml(value);
  // Not YAML: the kind refuses the text, and the message shows it.
  return read.type === 'value' ? read.value : value;
}

function checkedValue(name: string, key: Key<unknown>, entry: Entry, problems: Problem[]): unknown {
  if (key.presence === 'optional' && entry.given === null) return null;
  if (key.unavailable) {
    if (JSON.stringify(entry.given) !== JSON.stringify(key.fallback)) {
      const only =
        key.fallback === null ? 'leave it out' : `only ${JSON.stringify(key.fallback)} is`;
      const text = `holds ${shown(entry.given)}: not available in this version (${only})`;
      problems.push({ key: name, text, source: entry.source });
    }
    return entry.given;
  }
  const result = key.kind.schema.safeParse(entry.given);
  if (result.success) return result.data;
  const held = shown(masked(entry.given, key.secrecy === 'open' ? 'open' : 'secret'));
  const text = `holds ${held}; expected ${key.kind.expected}`;
  problems.push({ key: name, text, source: entry.source });
  return undefined;
}
