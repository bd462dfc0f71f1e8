import pg from 'pg';
import { type Measure, repeat } from '../measure.ts';
import { onPostgres } from '../rivals/rival.ts';
import { bareRate } from './commands.ts';

const FOR_MS = 3_000;
const PROCESSES = 1_000;

/** What the machine itself reaches: commits of one row by `pg`, and processes started by a bare Node. */
export const floors: Measure = {
  name: 'floors',
  title: 'what the machine itself reaches',
  isOnlyIfAsked: false,
  play: (options) =>
    onPostgres(options, async (url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(
        'create table floor (id bigint generated always as identity, at timestamptz)',
      );
      await client.end();
      const measure = 'floors';
      const figures = [
        { measure, title: 'commits of one row with pg, 1 connection', unit: 'commits/s' },
        { measure, title: 'commits of one row with pg, 8 connections', unit: 'commits/s' },
        { measure, title: 'commits of one row with pg, 32 connections', unit: 'commits/s' },
        { measure, title: 'processes from a bare Node, 8 at a time', unit: 'processes/s' },
      ];
      return await repeat(options, figures, async () => [
        await commitRate(url, 1),
        await commitRate(url, 8),
        await commitRate(url, 32),
        await bareRate(PROCESSES),
      ]);
    }),
};

async function commitRate(url: string, connections: number): Promise<number> {
  let count = 0;
  const clients = Array.from({ length: connections }, () => new pg.Client(url));
  await Promise.all(clients.map((client) => client.connect()));
  const startedAt = performance.now();
  const insert = { name: 'floor', text: 'insert into floor (at) values (now())' };
  try {
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() - startedAt < FOR_MS) {
          await client.query(insert);
          count += 1;
        }
      }),
    );
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  return (count / (performance.now() - startedAt)) * 1_000;
}
