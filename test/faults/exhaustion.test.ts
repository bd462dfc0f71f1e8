import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import pg from 'pg';
import { faultLasts } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { Scenario } from './scenario.ts';

const begin = Scenario.shared(test, { host: { agents: { lostAfter: '120s' } } });

test.serial(
  'F61: a database without connections left goes on with those of the pair: nobody moves',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    await scenario.submitTwenty();
    const clients: pg.Client[] = [];
    t.teardown(() => Promise.all(clients.map((client) => client.end())));
    for (let isFull = false; !isFull; ) {
      const client = new pg.Client({ connectionString: cluster.postgres.url });
      client.on('error', () => undefined);
      isFull = await client.connect().then(
        () => false,
        (error: { code?: string }) => error.code === '53300',
      );
      if (!isFull) clients.push(client);
    }
    t.true(clients.length > 50);
    await faultLasts(2 * before.activeStatus.timings.ttlMs);
    await scenario.nothingHappened();
    await Promise.all(clients.splice(0).map((client) => client.end()));
    const { runs } = await scenario.judge();
    await scenario.nothingHappened();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F125: no log of a pair holds its token or the password of its database, faults or not',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    await scenario.submitTwenty();
    signal(await before.active.controllerPid(), 'SIGKILL');
    await cluster.settled({ above: termBefore });
    await cluster.postgres.restart();
    await scenario.judge();
    const { folder, token, database } = cluster.facts;
    const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
    t.true(logs.length >= 4);
    for (const name of logs) {
      const text = readFileSync(join(folder, name), 'utf8');
      t.false(text.includes(token), `${name} holds the token`);
      t.false(text.includes(new URL(database).password), `${name} holds the password`);
    }
  },
);
