import type { AuditView } from '@understudy/shared/protocol/rights';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { allPages } from '../client/pages.ts';
import { apiFor } from '../context.ts';
import { print, printJson, showInstant, showTerm, table } from '../output.ts';

interface AuditOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly subject?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly json?: true;
}

/** `audit`: who changed what, newest last. */
export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('who changed what, when, from where and under which term, newest last')
    .option('--actor <token>', 'by one token; `pair` is the own one of the pair')
    .option('--action <action>', 'one kind of change, for instance job.apply')
    .option('--subject <name>', 'about one job, agent, token, secret or run')
    .option('--since <instant>', 'from this instant on, like 2026-01-31T12:00:00Z')
    .option('--until <instant>', 'before this instant')
    .option('--limit <count>', 'so many of the newest', '50')
    .option('--json', 'as JSON')
    .action(async (options: AuditOptions, command: Command) => {
      const { limit, json, ...query } = options;
      if (!/^[1-9]\d{0,8}$/.test(limit)) {
        throw new UserError(`--limit holds "${limit}"; expected a whole number above 0`);
      }
      const found = await allPages<AuditView>(apiFor(command), '/audit', query, Number(limit));
      const entries = found.toReversed();
      if (json) printJson(entries);
      else print(auditTable(entries));
    });
}

const MOST_ITEMS_SHOWN = 3;

function auditTable(entries: readonly AuditView[]): string {
  const rows = entries.map((entry) => [
    showInstant(entry.at),
    showTerm(entry.term),
    entry.actor,
    entry.count === 1 ? entry.action : `${entry.action} x ${entry.count}`,
    entry.subject,
    entry.address,
    shownItems(entry.items),
  ]);
  return table(['AT', 'TERM', 'BY', 'ACTION', 'ABOUT', 'FROM', 'WHAT'], rows);
}

function shownItems(items: readonly string[]): string {
  const more = items.length - MOST_ITEMS_SHOWN;
  const shown = items.slice(0, MOST_ITEMS_SHOWN).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
