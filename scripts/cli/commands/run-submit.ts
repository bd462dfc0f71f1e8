import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { BulkAnswer } from '@understudy/shared/protocol/api';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import type { ApiClient } from '../client/api-client.ts';
import { apiFor } from '../context.ts';
import { print } from '../output.ts';

/** As many as one request takes. */
const AT_ONCE = 10_000;

/** `run submit`: many runs, from a file of JSON lines. */
export function addRunSubmitCommand(run: Command): void {
  run
    .command('submit <file>')
    .description(
      'many runs: a JSON line each, like {"job":"NAME","parameters":{}}; - is standard input',
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const api = apiFor(command);
      // What is sent again after a fail-over is known by its key.
      const batch = randomUUID();
      let line = 0;
      let items: object[] = [];
      const flush = async () => {
        if (items.length > 0) await submit(api, items, line - items.length);
        items = [];
      };
      for await (const text of await linesOf(file)) {
        line += 1;
        items.push({ idempotencyKey: `${batch}-${line}`, ...parseItem(text, line) });
        if (items.length === AT_ONCE) await flush();
      }
      await flush();
    });
}

async function submit(api: ApiClient, runs: readonly object[], before: number): Promise<void> {
  const answer = await api.request<BulkAnswer>({ method: 'POST', path: '/runs', body: { runs } });
  for (const [index, item] of answer.items.entries()) {
    if (item.outcome !== 'refused') {
      print(item.id);
      continue;
    }
    process.exitCode = 1;
    const { code, message } = item.error;
    process.stderr.write(`line ${before + index + 1}: ${message} (${code})\n`);
  }
}

async function linesOf(file: string): Promise<AsyncIterable<string>> {
  if (file === '-') return createInterface({ input: process.stdin });
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (error) {
    throw new UserError(`${file} can't be read: ${messageOf(error)}`);
  }
  return handle.readLines();
}

function parseItem(text: string, line: number): object {
  try {
    const item: unknown = JSON.parse(text);
    if (typeof item === 'object' && item !== null) return item;
  } catch (error) {
    throw new UserError(`line ${line}: ${messageOf(error)}`);
  }
  throw new UserError(`line ${line}: expected an object like {"job":"NAME"}`);
}
