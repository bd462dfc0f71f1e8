import { readFileSync } from 'node:fs';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { parseAllDocuments } from 'yaml';

export interface JobInFile {
  readonly name: string;
  /** As it is sent; the controller judges it. */
  readonly body: unknown;
}

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
    return { name: each['name'], body: each };
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

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
