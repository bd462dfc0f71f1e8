import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import type { Keys } from './keys.ts';
import type { Problem } from './problems.ts';
import { shown } from './shown.ts';
import { suggestName } from './suggest.ts';
import { readYaml } from './yaml.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a configuration comes from. Later wins: default, file, environment, command line. */
export interface ConfigSources {
  /** Null: no file. */
  readonly file: string | null;
  readonly env: Environment;
  /** From the command line, by dotted key, as text. */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** A value as it was found. `text`: it came as text and still has to be read by its kind. */
export interface Found {
  readonly value: unknown;
  readonly text: boolean;
  readonly source: string;
}

/** The environment variable of a key: `lease.renewEvery` is `UNDERSTUDY_LEASE_RENEW_EVERY`. */
export function environmentName(key: string): string {
  const words = key.replace(/([a-z])([A-Z])/g, '$1_$2').replaceAll('.', '_');
  return `UNDERSTUDY_${words.toUpperCase()}`;
}

/** Collects what each source says of each known key, the strongest source winning. */
export function collectFound(
  sources: ConfigSources,
  keys: Keys,
  problems: Problem[],
): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  if (sources.file !== null) {
    const tree = readConfigFile(sources.file, problems);
    const walk = { keys, env: sources.env, source: `file ${sources.file}`, found, problems };
    if (tree !== null) flatten(tree, '', walk);
  }
  for (const key of Object.keys(keys)) {
    const name = environmentName(key);
    const text = sources.env[name];
    if (text !== undefined && text !== '') {
      found.set(key, { value: text, text: true, source: `environment variable ${name}` });
    }
  }
  for (const [key, text] of Object.entries(sources.overrides ?? {})) {
    if (Object.hasOwn(keys, key))
      found.set(key, { value: text, text: true, source: 'command line' });
    else problems.push(unknownKey(key, keys, 'command line'));
  }
  return found;
}

/** Reads a YAML file as a mapping; null, with a problem noted, when it is none. */
export function readConfigFile(
  file: string,
  problems: Problem[],
): Readonly<Record<string, unknown>> | null {
  const problem = (text: string) => {
    problems.push({ key: '', text, source: `file ${file}` });
    return null;
  };
  try {
    const read = readYaml(readText(file));
    if (read.type === 'bad') return problem(read.problem);
    const tree = read.value ?? {};
    return isMapping(tree) ? tree : problem(`holds ${kindOf(tree)}; expected keys and values`);
  } catch (error) {
    return problem(messageOf(error));
  }
}

const MOST_BYTES = 262_144;

/** The text of a file that may be anything: a folder, a device without end, a file of another kind. */
function readText(file: string): string {
  const bytes = Buffer.alloc(MOST_BYTES + 1);
  const descriptor = openSync(file, 'r');
  let length = 0;
  try {
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(descriptor);
  }
  if (length > MOST_BYTES) throw new Error(`is larger than ${MOST_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch {
    throw new Error('is not text in UTF-8');
  }
}

/** A file that is no mapping is often a secret on its own: it is not repeated. */
function kindOf(tree: unknown): string {
  return Array.isArray(tree) ? 'a list' : typeof tree === 'string' ? 'a text' : `a ${typeof tree}`;
}

interface Walk {
  readonly keys: Keys;
  readonly env: Environment;
  readonly source: string;
  readonly found: Map<string, Found>;
  readonly problems: Problem[];
}

function flatten(tree: Readonly<Record<string, unknown>>, prefix: string, walk: Walk): void {
  for (const [name, value] of Object.entries(tree)) {
    const key = prefix + name;
    if (Object.hasOwn(walk.keys, key)) {
      // An empty value (`vip:`) is a key that was left out.
      if (value !== null) walk.found.set(key, { value, text: false, source: walk.source });
    } else if (!Object.keys(walk.keys).some((known) => known.startsWith(`${key}.`))) {
      walk.problems.push(unknownKey(key, walk.keys, walk.source));
    } else if (isMapping(value)) {
      flatten(value, `${key}.`, walk);
    } else if (value !== null) {
      const text = `holds ${shown(value)}; expected keys and values`;
      walk.problems.push({ key, text, source: walk.source });
    }
  }
}

const MOST_KEY = 100;

function unknownKey(key: string, keys: Keys, source: string): Problem {
  const near = suggestName(key, Object.keys(keys));
  const hint = near === null ? '' : `; did you mean ${near}?`;
  return { key: key.slice(0, MOST_KEY), text: `is not a known key${hint}`, source };
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
