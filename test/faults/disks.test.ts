import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Disk, whyNoDisk } from '../support/cluster/disk.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { type ClusterOptions, termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

const missing = whyNoDisk();
const patient = {
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 2_000 } },
};

/** A test with a small disk mounted in the folder of its cluster; it goes with the test, however that ends. */
function withDisk(
  title: string,
  { name, megabytes }: { readonly name: string; readonly megabytes: number },
  check: (
    t: ExecutionContext,
    begin: (options?: ClusterOptions) => Promise<[Scenario, Disk]>,
  ) => Promise<void>,
): void {
  test(title, async (t) => {
    if (missing !== null) {
      t.log(`skipped: ${missing}`);
      if (process.env['CI']) t.fail(missing);
      else t.pass();
      return;
    }
    await check(t, async (options = {}) => {
      const disks: Disk[] = [];
      const scenario = await Scenario.begin(t, {
        ...patient,
        ...options,
        prepare: (folder) => {
          const mounted = Disk.mount(join(folder, name), megabytes);
          t.teardown(() => mounted.unmount());
          disks.push(mounted);
        },
      });
      const [disk] = disks;
      if (disk === undefined) throw new Error('the disk was not mounted');
      return [scenario, disk];
    });
  });
}

withDisk(
  'F36: an agent whose disk is full starts nothing that it can not write down, and goes on by itself when there is room',
  { name: 'w1.data', megabytes: 8 },
  async (t, begin) => {
    const [scenario, disk] = await begin();
    const { cluster } = scenario;
    const running = await scenario.submit('again', 4, 2);
    await scenario.started(running);
    disk.fill();
    await scenario.submit('again', 20, 0.1);
    await scenario.submit('once', 20, 0.1);
    await faultLasts(6_000);
    await scenario.nothingHappened();
    t.true(scenario.logLines('w1', 'ENOSPC').length > 0, 'it has met the fault');
    disk.free();
    await cluster.agentsConnected(['w1', 'w2']);
    const { runs } = await scenario.judge();
    t.log(
      `${runs.filter(({ state }) => state === 'lost').length} of ${runs.length} runs were lost`,
    );
    t.true(
      runs.every(({ job, state }) => state === 'succeeded' || (job === 'once' && state === 'lost')),
    );
    const after = await scenario.submit('once', 16, 0.2);
    const used = await scenario.runsOver();
    const on = used
      .filter(({ id }) => after.some((run) => run.id === id))
      .map(({ agent }) => agent);
    t.true(on.includes('w1'), 'it is given work again');
    await scenario.nothingHappened();
  },
);

withDisk(
  'F36: an agent that may not write to its data folder does not start, and says which folder',
  { name: 'w1.data', megabytes: 8 },
  async (t, begin) => {
    const [scenario, disk] = await begin();
    const { cluster } = scenario;
    const agent = cluster.agent('w1');
    await agent.kill();
    await eventually(
      () => {
        disk.setWritable(false);
        return true;
      },
      { what: 'nobody to write there any more' },
    );
    agent.start();
    t.is(await agent.program.ended, 78);
    t.regex(scenario.logLines('w1', "can't be used").join('\n'), /w1\.data[\s\S]*EROFS/);
    disk.setWritable(true);
    agent.start();
    await cluster.agentsConnected(['w1']);
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

withDisk(
  'F59: a database whose disk is full comes back by itself when there is room, and the pair with it',
  { name: 'postgres', megabytes: 150 },
  async (t, begin) => {
    const [scenario, disk] = await begin({
      postgres: { min_wal_size: '32MB', max_wal_size: '64MB', wal_recycle: 'off' },
    });
    const { cluster, before, termBefore } = scenario;
    await scenario.submitTwenty();
    await eventually(
      async () => {
        disk.fill();
        // The log goes on in a file that there is no room for.
        await cluster.query('select pg_switch_wal()').catch(() => undefined);
        const status = await before.active.status();
        return status?.failsafe || status?.role === 'passive' ? true : null;
      },
      { what: 'the database to fall', everyMs: 100 },
    );
    await faultLasts(2 * before.activeStatus.timings.ttlMs);
    disk.free();
    // It is its service manager that starts a database again which could not even recover.
    if (cluster.postgres.pid === null) await cluster.postgres.restart();
    const healedAt = process.hrtime.bigint();
    const { after, runs } = await scenario.judge(healedAt);
    t.true(runs.every((run) => run.state === 'succeeded'));
    const changes = termOf(after.activeStatus) - termBefore;
    t.true(changes <= 1n, `${changes} changes`);
    t.log(`the term changed ${changes} times`);
  },
);

withDisk(
  'F60: a full disk under the output of runs costs output and nothing else, and that is said',
  { name: 'tablespace', megabytes: 4 },
  async (t, begin) => {
    const [scenario, disk] = await begin();
    const { cluster } = scenario;
    disk.ownAs(cluster.postgres.dataDir);
    await cluster.query(`create tablespace small location '${disk.path}'`);
    await cluster.query('alter table understudy.run_log set tablespace small');
    const [lines, line] = [2_000, 'x'.repeat(99)];
    const script = `i=0; while [ $i -lt ${lines} ]; do echo ${line}; i=$((i+1)); done; sleep 1`;
    await cluster.client.putJob({ name: 'talker', command: ['sh', '-c', script] });
    disk.fill();
    const talkers = await scenario.submit('talker', 4, 0);
    await scenario.submit('once', 4, 0.2);
    const written = scenario.prober.successes.length;
    const runs = await scenario.runsOver();
    t.true(
      runs.every((run) => run.state === 'succeeded'),
      'while the disk is full',
    );
    t.true(scenario.prober.successes.length > written, 'users are served');
    await scenario.nothingHappened();
    const kinds = 'select count(*)::integer as count from understudy.event where kind = $1';
    const [cut] = await cluster.query<{ count: number }>(kinds, ['output-cut']);
    t.true((cut?.count ?? 0) > 0);
    const logOf = async (id: string) =>
      `${await cluster.client.request('GET', `/api/v1/runs/${id}/log`)}`.length;
    const whole = lines * (line.length + 1);
    for (const { id } of talkers) {
      const { attempts } = await cluster.client.run(id);
      const bytes = await logOf(id);
      t.regex(
        attempts.at(-1)?.reason ?? '',
        new RegExp(`${whole - bytes} bytes of its output are missing`),
      );
    }
    disk.free();
    const [later] = await scenario.submit('talker', 1, 0);
    await scenario.judge();
    t.is(await logOf(later?.id ?? ''), whole, 'what comes after it is whole again');
    await scenario.nothingHappened();
  },
);
