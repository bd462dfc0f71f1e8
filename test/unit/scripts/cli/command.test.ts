import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const COMMAND = fileURLToPath(new URL('../../../../../scripts/bin/understudy.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'understudy-cli-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function understudy(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const options = { cwd: folder, env: { PATH: process.env['PATH'], ...env } };
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function fileOf(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const good = fileOf(
  'good.yaml',
  `
pair: orders
node: a
database: postgres://user:hidden-one@127.0.0.1:9/db
token: hidden-two
heartbeat: { url: "http://127.0.0.1:9", peers: ["http://127.0.0.1:19"] }
controller: { url: "http://127.0.0.1:29" }
`,
);

test('config check accepts a good file', async (t) => {
  const { code, stdout } = await understudy(['config', 'check', '--config', good]);
  t.is(code, 0);
  t.regex(stdout, /good configuration of a controller host/);
});

test('config check refuses a bad file with every error and exit code 78', async (t) => {
  const bad = fileOf('bad.yaml', 'pair: "a b"\nvipp: 1\n');
  const { code, stderr, stdout } = await understudy(['config', 'check', '--config', bad]);
  t.is(code, 78);
  t.is(stdout, '');
  t.regex(stderr, /^understudy: the configuration has \d+ errors/);
  t.regex(stderr, /pair holds "a b"/);
  t.regex(stderr, /vipp is not a known key; did you mean vip\?/);
});

const doesNotStart = test.macro({
  exec: async (t, command: string) => {
    const { code, stderr } = await understudy([command, '--config', join(folder, 'none.yaml')]);
    t.is(code, 78);
    t.regex(stderr, /nothing was started/);
  },
  title: (_, command: string) => `${command} starts nothing with a bad configuration`,
});
test(doesNotStart, 'heartbeat');
test(doesNotStart, 'start');
test(doesNotStart, 'agent');
test(doesNotStart, 'create');

test('config print shows sources and timers, and no secret', async (t) => {
  const env = { UNDERSTUDY_FAILOVER_TARGET: '3s' };
  const { code, stdout } = await understudy(['config', 'print', '--config', good], env);
  t.is(code, 0);
  t.regex(stdout, /failover\.target +3s +environment variable UNDERSTUDY_FAILOVER_TARGET/);
  t.regex(stdout, /T +\d+ms +lease\.ttl/);
  t.false(stdout.includes('hidden'));
});

test('a value can be set on the command line', async (t) => {
  const args = ['config', 'print', '--json', '--config', good, '--set', 'log.level=debug'];
  const { stdout } = await understudy(args);
  const { keys } = JSON.parse(stdout) as { keys: { key: string; value: unknown }[] };
  t.is(keys.find((each) => each.key === 'log.level')?.value, 'debug');
  const { code, stderr } = await understudy(['config', 'check', '--set', 'nonsense']);
  t.is(code, 1);
  t.regex(stderr, /--set holds "nonsense"; expected KEY=VALUE/);
});

test('status of a pair that does not answer says so and exits with 2', async (t) => {
  const { code, stdout } = await understudy(['status', '--config', good]);
  t.is(code, 2);
  t.regex(stdout, /no node is active/);
});

test('a command that needs an active controller gives up in one clear line', async (t) => {
  const args = ['job', 'list', '--config', good, '--timeout', '100ms'];
  const { code, stderr } = await understudy(args);
  t.is(code, 1);
  t.regex(stderr, /^understudy: no active controller answered within 100ms .*\n$/);
});

test('the help names every command', async (t) => {
  const { code, stdout } = await understudy(['--help']);
  t.is(code, 0);
  for (const command of [
    'create',
    'heartbeat|start',
    'agent',
    'status',
    'events',
    'why',
    'job',
    'run',
    'token',
    'secret',
    'audit',
    'config',
    'install',
    'doctor',
  ]) {
    t.true(stdout.includes(`\n  ${command} `), command);
  }
});

test('every command has help', async (t) => {
  const commands = [
    'create',
    'heartbeat',
    'agent list',
    'status',
    'events',
    'why',
    'job run',
    'run logs',
    'local',
  ];
  for (const command of commands) {
    const { code, stdout } = await understudy([...command.split(' '), '--help']);
    t.is(code, 0, command);
    t.regex(stdout, /^Usage: understudy /);
    t.regex(stdout, /--config <file>/);
  }
});

test('a mistyped command is refused with what was meant', async (t) => {
  const { code, stderr } = await understudy(['statsu']);
  t.is(code, 1);
  t.regex(stderr, /Did you mean status\?/);
});
