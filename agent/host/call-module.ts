import { pathToFileURL } from 'node:url';
import { format } from 'node:util';
import type { ModuleAction } from '@understudy/shared/protocol/action';
import type { Hosted } from './current.ts';
import type { HostedStart } from './link.ts';

/** What a module's function is given. */
export interface ModuleContext {
  readonly run: string;
  readonly job: string;
  readonly attempt: number;
  /** As text: it is larger than a number can hold. */
  readonly term: string;
  /** ISO 8601; null for a run that no schedule made. */
  readonly scheduledFor: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Writes a line to the output of the run. */
  readonly log: (...values: readonly unknown[]) => void;
  /** Aborted when the attempt is to end. */
  readonly signal: AbortSignal;
}

/** Calls the function of a module. Throws what it throws, and when there is no such function. */
export async function callModule(
  { path, export: name }: ModuleAction,
  start: HostedStart,
  { log, abort }: Hosted,
): Promise<void> {
  const loaded = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  const found = functionOf(loaded, name);
  if (found === null) throw new Error(`${path} exports no function ${name}`);
  const { run, job, attempt, term, scheduledFor, parameters, env } = start;
  const context: ModuleContext = {
    ...{ run, job, attempt, term, scheduledFor, parameters, env },
    log: (...values) => log.write(`${format(...values)}\n`),
    signal: abort.signal,
  };
  await found(context);
}

type ModuleFunction = (context: ModuleContext) => unknown;

/** A CommonJS module is given as the default export of one. */
function functionOf(
  loaded: Readonly<Record<string, unknown>>,
  name: string,
): ModuleFunction | null {
  const common = loaded['default'] as Readonly<Record<string, unknown>> | null | undefined;
  const found = loaded[name] ?? common?.[name];
  return typeof found === 'function' ? (found as ModuleFunction) : null;
}
