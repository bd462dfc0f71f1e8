import { readFileSync } from 'node:fs';
import { parseDurationMs } from '@understudy/shared/kernel/duration';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { parseAllDocuments } from 'yaml';

export interface JobInFile {
  readonly name: string;
  /** As it is sent; the controller judges it. */
  readonly body: unknown;
}

type Mapping = Readonly<Record<string, unknown>>;

/** Reads jobs from a YAML or JSON file: one, several documents, or a list. `-` is standard input. */
export function readJobs(file: string): readonly JobInFile[] {
  const found = parse(file).flatMap((each) => (Array.isArray(each) ? (each as unknown[]) : [each]));
  if (found.length === 0) throw new UserError(`${file} holds no job`);
  return found.map((each, index) => {
    if (!isMapping(each) || typeof each['name'] !== 'string') {
      throw new UserError(
        `job ${index + 1} in ${file} has no name; expected a mapping with name and command`,
      );
    }
    return { name: each['name'], body: withMilliseconds(each, each['name']) };
  });
}

function parse(file: string): unknown[] {
  try {
    const documents = parseAllDocuments(readFileSync(file === '-' ? 0 : file, 'utf8'));
    return [...documents].map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as unknown;
    });
  } catch (error) {
    throw new UserError(
      `${file} can't be read as YAML or JSON: ${messageOf(error).split('\n', 1)[0]}`,
    );
  }
}

/** People write `timeout: 30s` and `delay: 2s`; the API counts milliseconds. */
function withMilliseconds(job: Mapping, name: string): unknown {
  const converted = convert(job, 'timeout', 'timeoutMs', name);
  const retries = converted['retries'];
  return isMapping(retries)
    ? { ...converted, retries: convert(retries, 'delay', 'delayMs', name) }
    : converted;
}

function convert(mapping: Mapping, from: string, to: string, name: string): Mapping {
  const { [from]: given, ...rest } = mapping;
  if (given === undefined) return mapping;
  const ms = typeof given === 'string' ? parseDurationMs(given) : null;
  if (ms !== null) return { ...rest, [to]: ms };
  throw new UserError(
    `job ${name}: ${from} holds ${JSON.stringify(given)}; expected a duration like 250ms, 2s or 10m`,
  );
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
