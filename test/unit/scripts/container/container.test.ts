import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findControllers } from '@understudy/scripts/install/lb/controllers';
import { haproxyConfig } from '@understudy/scripts/install/lb/haproxy';
import { paceOf } from '@understudy/scripts/install/lb/pace';
import { describeConfig } from '@understudy/shared/runtime/config/describe';
import { loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';

const folder = resolve(import.meta.dirname, '../../../../../scripts/container');
const entry = join(folder, 'entry.sh');

/** The entry point with an `understudy` that notes what it is asked, and fails to create so often. */
function makeEntry(t: ExecutionContext, { failures = 0, code = 1 } = {}) {
  const place = mkdtempSync(join(tmpdir(), 'understudy-entry-'));
  t.teardown(() => rmSync(place, { recursive: true }));
  const asked = join(place, 'asked');
  const script = `#!/bin/sh
echo "$@" >> '${asked}'
[ "$1" != create ] || [ "$(grep -c create '${asked}')" -gt ${failures} ] || exit ${code}
[ "$1" != start ] || exit 7
`;
  writeFileSync(join(place, 'understudy'), script, { mode: 0o755 });
  const env = { PATH: `${place}:${process.env['PATH']}`, CREATE_PAUSE: '0.01' };
  return (mode: string | null, ...args: string[]) =>
    new Promise<{ code: number; asked: string[]; stderr: string }>((done) => {
      const environment = { ...env, ...(mode === null ? {} : { START_MODE: mode }) };
      execFile('/bin/sh', [entry, ...args], { env: environment }, (error, _stdout, stderr) => {
        const lines = existsSync(asked) ? readFileSync(asked, 'utf8').trimEnd().split('\n') : [];
        done({ code: error === null ? 0 : Number(error.code), asked: lines, stderr });
      });
    });
}

test('HA_INIT prepares the database, then starts; exit codes are those of the heartbeat', async (t) => {
  const { asked, code } = await makeEntry(t)('HA_INIT');
  t.deepEqual(asked, ['create', 'start']);
  t.is(code, 7);
});

test('HA_INIT waits for a database that is not there yet, and not for a wrong configuration', async (t) => {
  const patient = await makeEntry(t, { failures: 2 })('HA_INIT');
  t.deepEqual(patient.asked, ['create', 'create', 'create', 'start']);
  const wrong = await makeEntry(t, { failures: 2, code: 78 })('HA_INIT');
  t.deepEqual(wrong.asked, ['create']);
  t.is(wrong.code, 78);
});

test('HA starts, AGENT runs an agent, arguments run a command', async (t) => {
  t.deepEqual((await makeEntry(t)('HA')).asked, ['start']);
  t.deepEqual((await makeEntry(t)('AGENT')).asked, ['agent']);
  t.deepEqual((await makeEntry(t)('HA', 'status', '--json')).asked, ['status --json']);
});

test('anything else starts nothing and says what is expected', async (t) => {
  for (const mode of ['ha', null]) {
    const { code, asked, stderr } = await makeEntry(t)(mode);
    t.is(code, 78);
    t.deepEqual(asked, []);
    t.regex(stderr, /expected HA_INIT, HA or AGENT/);
  }
});

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly image: string;
}

test('the compose file makes a pair and agents whose configurations are good', (t) => {
  const text = readFileSync(join(folder, 'compose.yaml'), 'utf8')
    .replaceAll(/\$\{POSTGRES_PASSWORD[^}]*\}/g, 'a-password')
    .replaceAll(/\$\{UNDERSTUDY_TOKEN[^}]*\}/g, 'a-token');
  const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
  const hosts = Object.entries(services).flatMap(([name, { environment: env = {} }]) => {
    if (env['START_MODE'] === undefined) return [];
    return [[name, env['START_MODE'], describeConfig({ file: null, env }).host]];
  });
  t.deepEqual(hosts, [
    ['a', 'HA_INIT', 'controller'],
    ['b', 'HA', 'controller'],
    ['w1', 'AGENT', 'worker'],
    ['w2', 'AGENT', 'worker'],
  ]);
});

test('the file of HAProxy beside it is what the command writes for that pair', async (t) => {
  const env = {
    ...{ UNDERSTUDY_PAIR: 'main', UNDERSTUDY_NODE: 'a', UNDERSTUDY_TOKEN: 'a-token' },
    UNDERSTUDY_DATABASE: 'postgres://understudy@database/understudy',
    UNDERSTUDY_HEARTBEAT_URL: 'http://a:7400',
    UNDERSTUDY_HEARTBEAT_PEERS: '["http://b:7400"]',
    UNDERSTUDY_CONTROLLER_URL: 'http://a:7300',
  };
  const config = loadControllerHostConfig({ file: null, env });
  const text = haproxyConfig({
    ...{ pair: config.pair, pace: paceOf(config), check: 'http', ca: null, stats: false },
    controllers: await findControllers({ config, given: ['http://b:7300'] }),
    listen: [{ host: '0.0.0.0', port: 7300 }],
    container: true,
  });
  t.is(readFileSync(join(folder, 'haproxy.cfg'), 'utf8'), text);
});

test('the entry point is a script that every sh understands', (t) => {
  t.is(execFileSync('/bin/sh', ['-n', entry], { encoding: 'utf8' }), '');
  t.regex(
    readFileSync(join(folder, 'Containerfile'), 'utf8'),
    /COPY .* scripts\/container\/entry\.sh/,
  );
});
