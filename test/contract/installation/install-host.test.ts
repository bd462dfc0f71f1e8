import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../support/cluster/program.ts';

const CONFIGURATION = 'etc/understudy/understudy.yaml';
const SECRETS = 'etc/understudy/understudy.env';
const ACCOUNT = 'etc/sysusers.d/understudy-controller.conf';
const UNIT = 'etc/systemd/system/understudy-controller.service';

function makeRoot(t: ExecutionContext) {
  const root = mkdtempSync(join(tmpdir(), 'understudy-root-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const understudy = (args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
    runCommand(args, { PATH: process.env['PATH'], ...more });
  return {
    at: (path: string) => join(root, path),
    read: (path: string) => readFileSync(join(root, path), 'utf8'),
    understudy,
    install: (...args: string[]) => understudy(['install', ...args, '--root', root]),
  };
}

/** Whether a program is there; where each test has to count its absence is a failure. */
function has(t: ExecutionContext, program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    t.log(`${program} is not on this machine`);
    t.is(process.env['CI'], undefined);
    return false;
  }
}

test('a controller host and an agent are installed, with units that systemd takes', async (t) => {
  if (!has(t, 'systemd-analyze') || !has(t, 'systemd-sysusers')) return;
  const { install, at } = makeRoot(t);
  const controller = await install('controller', '--vip', '--node', 'a', '--peer', '10.0.0.12');
  t.is(controller.code, 0, controller.stderr);
  t.regex(controller.stdout, /systemctl enable --now understudy-controller\.service/);
  const agent = await install('agent', '--agent', 'w1');
  t.is(agent.code, 0, agent.stderr);
  t.is(statSync(at(SECRETS)).mode & 0o777, 0o600);
  t.is(statSync(at('etc/understudy/agent.env')).mode & 0o777, 0o600);
  for (const name of ['controller', 'agent']) {
    const unit = at(`etc/systemd/system/understudy-${name}.service`);
    const said = execFileSync('systemd-analyze', ['verify', unit], {
      env: { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' },
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    t.is(said, '');
  }
});

test('the first configuration is good as soon as the peer is known', async (t) => {
  const { install, understudy, at } = makeRoot(t);
  const check = () => understudy(['config', 'check', '--config', at(CONFIGURATION)], environment);
  const environment = { UNDERSTUDY_TOKEN: 'x', UNDERSTUDY_DATABASE: 'postgres://u:p@db/u' };
  await install('controller', '--address', '10.0.0.11', '--node', 'a', '--pair', 'orders');
  const before = await check();
  t.is(before.code, 78);
  t.regex(before.stderr, /heartbeat\.peers/);
  rmSync(at(CONFIGURATION));
  await install('controller', '--address', 'fd00::11', '--node', '1', '--peer', 'fd00::12');
  const after = await check();
  t.is(after.code, 0, after.stderr);
});

test('to install again keeps what is the operator’s, and mends what is ours', async (t) => {
  const { install, read, at } = makeRoot(t);
  await install('controller');
  const secrets = read(SECRETS);
  writeFileSync(at(CONFIGURATION), 'pair: mine\n');
  const unit = read(UNIT);
  writeFileSync(at(UNIT), 'spoilt');
  const again = await install('controller', '--node', 'other');
  t.is(again.code, 0, again.stderr);
  t.is(read(CONFIGURATION), 'pair: mine\n');
  t.is(read(SECRETS), secrets);
  t.is(read(UNIT), unit);
});

test('an installation is taken away; configuration and data only when that is asked for', async (t) => {
  const { install, at } = makeRoot(t);
  await install('controller');
  await install('controller', '--uninstall');
  t.false(existsSync(at(UNIT)));
  t.true(existsSync(at(CONFIGURATION)));
  t.true(existsSync(at('var/lib/understudy')));
  t.true(existsSync(at(ACCOUNT)));
  await install('controller', '--uninstall', '--purge');
  for (const path of [CONFIGURATION, SECRETS, ACCOUNT, 'var/lib/understudy', 'etc/understudy']) {
    t.false(existsSync(at(path)), path);
  }
  t.is((await install('controller', '--uninstall', '--purge')).code, 0);
});

test('the account that was made goes with the data that it owns, and no other', async (t) => {
  if (process.getuid?.() !== 0 || !has(t, 'systemd-sysusers') || !has(t, 'userdel')) return;
  const { install, read } = makeRoot(t);
  await install('controller');
  await install('agent');
  const names = () => ['passwd', 'group'].map((file) => read(`etc/${file}`).match(/^[^:]+/gm));
  t.deepEqual(
    names().map((each) => each?.includes('understudy-agent')),
    [true, true],
  );
  await install('agent', '--uninstall');
  t.deepEqual(
    names().map((each) => each?.includes('understudy-agent')),
    [true, true],
  );
  const { code, stdout, stderr } = await install('agent', '--uninstall', '--purge');
  t.is(code, 0, stderr);
  t.regex(stdout, /removed the account understudy-agent/);
  t.deepEqual(
    names().map((each) => each?.includes('understudy-agent')),
    [false, false],
  );
  t.deepEqual(
    names().map((each) => each?.includes('understudy')),
    [true, true],
  );
  t.notRegex((await install('agent', '--uninstall', '--purge')).stdout, /account/);
});

test('a dry run shows everything and writes nothing', async (t) => {
  const { install, at } = makeRoot(t);
  const { code, stdout } = await install('agent', '--dry-run', '--controller', 'http://c:7300');
  t.is(code, 0);
  t.regex(stdout, /^--- \/etc\/systemd\/system\/understudy-agent\.service \(mode 644\)$/m);
  t.regex(stdout, /^controllers: \["http:\/\/c:7300"\]/m);
  t.false(existsSync(at('etc')));
});

test('bad options are refused with what is expected', async (t) => {
  const { install } = makeRoot(t);
  for (const [args, expected] of [
    [['controller', '--node', 'a b'], /--node holds "a b"; expected a name/],
    [['controller', '--peer', '10.0.0.12:7400'], /--peer holds .*without a port/],
    [['controller', '--user', 'no-such-user'], /there is no account no-such-user/],
    [['agent', '--controller', 'nowhere'], /--controller holds "nowhere"; expected a URL/],
    [['agent', '--purge'], /together with --uninstall/],
  ] as const) {
    if (args[1] === '--user' && process.getuid?.() !== 0) continue;
    const { code, stderr } = await install(...args);
    t.is(code, 1, args.join(' '));
    t.regex(stderr, expected);
  }
});
