import { setTimeout as delay } from 'node:timers/promises';
import type { PairEvent } from '@understudy/shared/protocol/events';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { readHistory } from '../client/pair-history.ts';
import { pairConfigFor } from '../context.ts';
import { describeEvent } from '../explain/describe-event.ts';
import { print, printJson } from '../output.ts';

interface EventsOptions {
  readonly follow?: true;
  readonly json?: true;
  readonly limit: string;
}

const FOLLOW_EVERY_MS = 1_000;
/** While following, so many of the newest events are looked at each time. */
const FOLLOW_WINDOW = 200;

/** `events`: what happened to the pair and why, newest last. */
export function addEventsCommand(program: Command): void {
  program
    .command('events')
    .description('what happened to the pair, and why, newest last')
    .option('--follow', 'goes on with what happens from now on')
    .option('--limit <count>', 'so many of the newest', '50')
    .option('--json', 'as JSON; with --follow one object a line')
    .action(async (options: EventsOptions, command: Command) => {
      const config = pairConfigFor(command);
      const limit = wholeLimit(options.limit);
      const { events, notes } = await readHistory(
        config,
        options.follow ? Math.max(limit, FOLLOW_WINDOW) : limit,
      );
      for (const note of notes) process.stderr.write(`understudy: ${note}\n`);
      if (options.json && !options.follow) return printJson(events);
      const show = (event: PairEvent) =>
        print(options.json ? JSON.stringify(event) : describeEvent(event));
      events.slice(-limit).forEach(show);
      if (options.follow) await follow(config, new Set(events.map((each) => each.id)), show);
    });
}

/** Each look sees the newest events whole, so what a node tells late, after an outage, is not missed. */
async function follow(
  config: Parameters<typeof readHistory>[0],
  shown: Set<string>,
  show: (event: PairEvent) => void,
): Promise<never> {
  for (;;) {
    try {
      const { events } = await readHistory(config, FOLLOW_WINDOW);
      for (const event of events) {
        if (shown.has(event.id)) continue;
        shown.add(event.id);
        show(event);
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      process.stderr.write(`understudy: ${messageOf(error)}; tries on\n`);
    }
    await delay(FOLLOW_EVERY_MS);
  }
}

function wholeLimit(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 1_000) return Number(text);
  throw new UserError(`--limit holds "${text}"; expected a whole number from 1 to 1000`);
}
