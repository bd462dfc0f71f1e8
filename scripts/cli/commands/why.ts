import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { readHistory } from '../client/pair-history.ts';
import { pairConfigFor } from '../context.ts';
import { explain, findSubject } from '../explain/why.ts';
import { print, printJson } from '../output.ts';

const HISTORY = 1_000;

/** `why`: one decision, with its evidence and its rule. */
export function addWhyCommand(program: Command): void {
  program
    .command('why')
    .argument('[event]', 'id of an event, as `events` shows it; without it the last change of role')
    .description('the evidence and the rule behind a decision')
    .option('--json', 'the event as JSON')
    .action(async (id: string | undefined, options: { json?: true }, command: Command) => {
      const config = pairConfigFor(command);
      const { events, notes } = await readHistory(config, HISTORY);
      const subject = findSubject(events, id ?? null);
      if (subject === null) throw new UserError(nothingFound(id, notes));
      if (options.json) return printJson(subject);
      print(explain(subject, events));
      for (const note of notes) print(`\nnote: ${note}`);
    });
}

function nothingFound(id: string | undefined, notes: readonly string[]): string {
  const what =
    id === undefined
      ? 'no change of role is known yet'
      : `there is no event ${id} among the ${HISTORY} newest`;
  return [what, ...notes].join('; ');
}
