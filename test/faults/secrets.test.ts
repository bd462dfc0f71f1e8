import { copyFileSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '@understudy/shared/protocol/api';
import { makeKeystore } from '@understudy/shared/runtime/keystore';
import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { type Cluster, makeCluster } from '../support/cluster.ts';
import { makeFolder } from '../support/keystore.ts';

const fast = { failover: { target: '4s' } };
const SECRET = 'hunter2-and-more';

/** Every file of the system but the database's own, and what was given to it. */
function files(folder: string): { readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((name) => !name.startsWith(join(folder, 'postgres/')) && !name.endsWith('.given'))
    .map((name) => ({ bytes: readFileSync(name) }));
}

/** What the database can be asked for. */
async function rows(cluster: Cluster): Promise<string> {
  const tables = await cluster.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'understudy'`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const found = await cluster.query(`select t::text as row from understudy.${name} t`);
    texts.push(JSON.stringify(found));
  }
  const logs = await cluster.query<{ text: string }>(
    `select convert_from(string_agg(data, '' order by start), 'UTF8') as text
     from understudy.run_log group by run, attempt`,
  );
  return [...texts, ...logs.map(({ text }) => text)].join('\n');
}

test('F125: a run works with its secret through a fail-over, and no file, table or answer holds it', async (t) => {
  const cluster = await makeCluster(t, { host: fast, agents: ['w1'] });
  await cluster.start();
  const given = join(cluster.facts.folder, 'secret.given');
  writeFileSync(given, `${SECRET}\n`);
  t.is((await cluster.command(['secret', 'set', 'DB', '--file', given])).code, 0);
  // Written in two pieces, with a fail-over between them.
  const script = `[ "$DB" = "$(cat ${given})" ] || exit 9
    printf 'it is %s' "\${DB%-more}"; until [ -e "$GO" ]; do sleep 0.05; done
    printf -- '-more, and %s\\n' "$DB"; exit 3`;
  const env = { GO: join(cluster.facts.folder, 'go.given') };
  await cluster.client.putJob({ name: 'j', command: ['sh', '-c', script], secrets: ['DB'], env });
  const { id } = await cluster.client.submit('j', 'once');
  const runNow = async () => (await cluster.client.request('GET', `/api/v1/runs/${id}`)) as Run;
  await eventually(async () => ((await runNow()).logBytes > 0 ? true : null), {
    what: 'the first piece to be stored',
  });
  await cluster.host('a').killHeartbeat();
  await cluster.activeOn('b');
  writeFileSync(env.GO, '');
  const over = await eventually(
    async () => {
      const run = await runNow();
      return run.finishedAt === null ? null : run;
    },
    { what: 'the run to be over' },
  );
  t.like(over, { state: 'failed', exitCode: 3 });
  const { stdout } = await cluster.command(['run', 'logs', id]);
  t.is(stdout, 'it is ****************, and ****************\n');
  t.notRegex(await rows(cluster), /hunter2|and-more/);
  // The agent removes the output once its end was acknowledged.
  await eventually(
    async () =>
      files(cluster.facts.folder).some(({ bytes }) => bytes.includes(SECRET)) ? null : true,
    { what: 'no file to hold the secret' },
  );
});

test('F125: the key is changed while the pair serves; each node that has the new one takes over', async (t) => {
  const cluster = await makeCluster(t, { host: fast, agents: ['w1'] });
  await cluster.start();
  const given = join(cluster.facts.folder, 'secret.given');
  writeFileSync(given, `${SECRET}\n`);
  t.is((await cluster.command(['secret', 'set', 'DB', '--file', given])).code, 0);
  const command = ['sh', '-c', `[ "$DB" = "$(cat ${given})" ]`];
  await cluster.client.putJob({ name: 'j', command, secrets: ['DB'] });
  const worksAs = async (key: string) => {
    const { id } = await cluster.client.submit('j', key.replaceAll(' ', '-'));
    const over = await eventually(
      async () => {
        const run = await cluster.client.run(id);
        return run.finishedAt === null ? null : run;
      },
      { what: 'the run to be over' },
    );
    t.is(over.state, 'succeeded', key);
  };
  await worksAs('before');
  const early = await cluster.command(['secret', 'rekey']);
  t.is(early.code, 1);
  t.regex(early.stderr, /there is no new key at .*keystore\.next: make one/);
  const prepared = await cluster.command(['secret', 'rekey', '--prepare']);
  t.is(prepared.code, 0, prepared.stderr);
  t.is((await cluster.command(['secret', 'rekey', '--prepare'])).code, 1, 'it overwrites nothing');
  const keystore = join(cluster.facts.folder, 'keystore');
  const alone = join(makeFolder(t), 'keystore');
  copyFileSync(keystore, alone);
  const changed = await cluster.command(['secret', 'rekey']);
  t.is(changed.code, 0, changed.stderr);
  t.regex(changed.stdout, /the pair's key is k-[0-9a-f]{16}; encrypted anew: 1 secrets of jobs, 0/);
  await worksAs('with the new key');
  await cluster.host('a').killHeartbeat();
  await cluster.activeOn('b');
  await worksAs('after a fail-over');
  renameSync(`${keystore}.next`, keystore);
  cluster.host('a').start();
  await cluster.settled();
  await worksAs('with the new key in its place');
  await cluster.host('a').killHeartbeat();
  const refused = await cluster.command(['heartbeat', '--set', `keystore=${alone}`], 'a');
  t.is(refused.code, 78, refused.stderr);
  t.regex(refused.stderr, /encrypts its secrets with key k-.* holds key k-.*: copy the key store/);
});

test('H4: a node with another key store is refused with a clear error, and one that knows none too', async (t) => {
  const cluster = await makeCluster(t, { host: fast, agents: [] });
  const other = join(makeFolder(t), 'keystore');
  const { id } = makeKeystore(other);
  for (const [command, reason] of [
    [['heartbeat', '--set', `keystore=${other}`], `holds key ${id}: copy the key store file`],
    [['create', '--set', `keystore=${other}`], `holds key ${id}: copy the key store file`],
    [['heartbeat', '--set', `keystore=${other}-none`], 'there is no key store at'],
  ] as const) {
    const { code, stderr } = await cluster.command(command, 'b');
    t.is(code, 78, stderr);
    t.true(stderr.includes(reason), stderr);
  }
  t.is((await cluster.command(['create'], 'b')).code, 0);
});
