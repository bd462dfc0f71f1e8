import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentKeys, controllerHostKeys } from '@understudy/shared/runtime/config/keys';
import { loadAgentConfig, loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import { environmentName } from '@understudy/shared/runtime/config/sources';
import { UserError } from '@understudy/shared/runtime/errors';
import test from 'ava';

const folder = mkdtempSync(join(tmpdir(), 'understudy-config-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function fileOf(text: string): string {
  files += 1;
  const file = join(folder, `${files}.yaml`);
  writeFileSync(file, text);
  return file;
}

const GOOD = `
pair: orders
node: a
database: postgres://user:pw@db1:5432,db2:5432/understudy
token: abc
heartbeat: { url: http://10.0.0.11:7400, peers: [http://10.0.0.12:7400/] }
controller: { url: http://10.0.0.11:7300 }
`;

const GOOD_AGENT = `
pair: orders
agent: w1
controllers: [http://10.0.0.11:7300, http://10.0.0.12:7300]
token: abc
`;

interface Attempt {
  readonly text?: string;
  readonly env?: Record<string, string>;
  readonly overrides?: Record<string, string>;
}

function load({ text = GOOD, env = {}, overrides = {} }: Attempt) {
  return loadControllerHostConfig({ file: fileOf(text), env, overrides });
}

function errorOf(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a short file is completed by the defaults', (t) => {
  const config = load({});
  t.like(config, {
    pair: 'orders',
    node: 'a',
    schema: 'understudy',
    failover: { targetMs: 2_000 },
  });
  t.deepEqual(config.heartbeat.listen, { host: '0.0.0.0', port: 7400 });
  t.deepEqual(config.heartbeat.peers, ['http://10.0.0.12:7400']);
  t.deepEqual(config.controller.health, { everyMs: 400, timeoutMs: 400, failures: 3 });
  t.like(config.controller, { standby: 'warm', command: [], check: null, stopTimeoutMs: 5_000 });
  t.deepEqual(config.agents, { beatEveryMs: 500, lostAfterMs: 60_000 });
  t.deepEqual(config.log, { level: 'info', format: 'json' });
  t.is(config.timers.ttlMs, 1_188);
});

test('a worker host has its own keys and defaults', (t) => {
  const config = loadAgentConfig({ file: fileOf(GOOD_AGENT), env: { UNDERSTUDY_SLOTS: '3' } });
  t.like(config, { agent: 'w1', slots: 3, data: '/var/lib/understudy-agent' });
  t.deepEqual(config.retry, { everyMs: 500, timeoutMs: 1_000, limit: 60 });
  t.deepEqual(config.onLost, { running: 'finish' });
});

test('the command line wins over the environment, that over the file, that over the default', (t) => {
  const text = `${GOOD}\nlog: { level: error }\n`;
  const env = { UNDERSTUDY_LOG_LEVEL: 'warn' };
  t.is(load({ text }).log.level, 'error');
  t.is(load({ text, env }).log.level, 'warn');
  t.is(load({ text, env, overrides: { 'log.level': 'debug' } }).log.level, 'debug');
});

test('everything can come from the environment, lists and objects as YAML or JSON', (t) => {
  const config = loadControllerHostConfig({
    file: null,
    env: {
      UNDERSTUDY_PAIR: 'orders',
      UNDERSTUDY_NODE: '7',
      UNDERSTUDY_DATABASE: 'postgres://h/db',
      UNDERSTUDY_TOKEN: '0123',
      UNDERSTUDY_HEARTBEAT_URL: 'http://h:1',
      UNDERSTUDY_HEARTBEAT_PEERS: '["http://h:2", "http://h:3"]',
      UNDERSTUDY_CONTROLLER_URL: 'http://h:4',
      UNDERSTUDY_CONTROLLER_COMMAND: '[serve, --fast]',
      UNDERSTUDY_CONTROLLER_CHECK: '{ tcp: "h:4", timeout: 2s }',
      UNDERSTUDY_CONTROLLER_STOP_TIMEOUT: '9s',
      UNDERSTUDY_FAILOVER_TARGET: '4s',
      UNDERSTUDY_FAILOVER_PREFERRED: 'false',
      UNDERSTUDY_LEASE_ETCD: '[]',
      UNDERSTUDY_SCHEMA: '',
    },
  });
  t.like(config, { node: '7', token: '0123', schema: 'understudy', failover: { targetMs: 4_000 } });
  t.deepEqual(config.heartbeat.peers, ['http://h:2', 'http://h:3']);
  t.deepEqual(config.controller.command, ['serve', '--fast']);
  t.deepEqual(config.controller.check, { tcp: 'h:4', timeoutMs: 2_000 });
  t.is(config.controller.stopTimeoutMs, 9_000);
});

test('every key has an environment variable of its own', (t) => {
  for (const keys of [controllerHostKeys, agentKeys]) {
    const names = Object.keys(keys).map(environmentName);
    t.is(new Set(names).size, names.length);
    for (const name of names) t.regex(name, /^UNDERSTUDY_[A-Z_]+$/);
  }
  t.is(environmentName('failover.target'), 'UNDERSTUDY_FAILOVER_TARGET');
  t.is(environmentName('lease.renewEvery'), 'UNDERSTUDY_LEASE_RENEW_EVERY');
});

test('any value may name an environment variable, at any depth and from any source', (t) => {
  const text = `${GOOD.replace('token: abc', 'token: env:T')}
failover: { target: env:TARGET }
hooks: { promoted: [notify, env:WHOM] }
`;
  const env = { T: 'secret', TARGET: '3s', WHOM: 'me', CHOSEN: 'debug', FAILURES: '5' };
  const overrides = { 'log.level': 'env:CHOSEN', 'controller.health.failures': 'env:FAILURES' };
  const config = load({ text, env, overrides });
  t.is(config.token, 'secret');
  t.is(config.failover.targetMs, 3_000);
  t.deepEqual(config.hooks.promoted, ['notify', 'me']);
  t.is(config.log.level, 'debug');
  t.is(config.controller.health.failures, 5);
});

test('a variable that is not set is an error that names it', (t) => {
  const error = errorOf(() => load({ text: GOOD.replace('abc', 'env:MISSING_ONE') }));
  t.regex(error.message, /token holds env:MISSING_ONE, but .* MISSING_ONE is not set/);
});

test('every error is told at once, with what the key holds, what is expected and where it came from', (t) => {
  const text = `
pair: orders
node: "a b"
database: mysql://x
heartbeat: { listen: 7400, url: "http://10.0.0.11:7400", peers: [] }
failover: { targt: 2s }
log: loud
`;
  const file = fileOf(text);
  const error = errorOf(() =>
    loadControllerHostConfig({
      file,
      env: { UNDERSTUDY_CONTROLLER_STANDBY: 'lukewarm' },
      overrides: { 'failover.target': 'soon', nothing: '1' },
    }),
  );
  t.is(error.exitCode, 78);
  for (const line of [
    `node holds "a b"; expected a name: 1 to 128 letters, digits, dots, dashes, underscores, beginning with a letter or digit (file ${file})`,
    'token is missing; expected a secret text',
    'controller.url is missing; expected a URL',
    `heartbeat.listen holds 7400; expected an address like 0.0.0.0:7400 or [::]:7400 (file ${file})`,
    'heartbeat.peers holds []; expected a list of one or more different URLs',
    `failover.targt is not a known key; did you mean failover.target? (file ${file})`,
    'failover.target holds "soon"; expected a duration above 0 like 250ms, 2s or 10m (command line)',
    'controller.standby holds "lukewarm"; expected one of warm, cold (environment variable UNDERSTUDY_CONTROLLER_STANDBY)',
    `log holds "loud"; expected keys and values (file ${file})`,
    'nothing is not a known key (command line)',
  ]) {
    t.true(error.message.includes(`\n  ${line}`), `${line}\nis not in\n${error.message}`);
  }
  t.regex(error.message, /has 11 errors/);
});

test('secrets are not shown in error messages', (t) => {
  const text = GOOD.replace('postgres://user:pw@', 'postgre://user:pw-leak@').replace(
    'token: abc',
    'token: "t leak"',
  );
  const { message } = errorOf(() => load({ text }));
  t.regex(message, /database holds "\*\*\*"/);
  t.regex(message, /token holds "\*\*\*"/);
  t.false(message.includes('leak'));
});

const refused = test.macro({
  exec(t, text: string, expected: RegExp) {
    const sections = new Set(Object.keys(controllerHostKeys).map((key) => key.split('.', 1)[0]));
    t.true(sections.has(text.split(':', 1)[0] ?? ''));
    t.regex(errorOf(() => load({ text: `${GOOD}\n${text}\n` })).message, expected);
  },
  title: (_, text: string) => `what this version does not do is refused: ${text}`,
});

test('H7, S2: mode, preference and its time are read, and a time without preference is refused', (t) => {
  const text = `${GOOD}\nfailover: { mode: manual, preferred: true, failback: 5m, limit: 7, window: 1m }\n`;
  t.like(load({ text }).failover, {
    mode: 'manual',
    preferred: true,
    failbackMs: 300_000,
    limit: 7,
    windowMs: 60_000,
  });
  const alone = errorOf(() => load({ text: `${GOOD}\nfailover: { failback: 5m }\n` })).message;
  t.regex(alone, /failover.failback is set, but failover.preferred is not/);
  const bad = errorOf(() =>
    load({ text: `${GOOD}\nfailover: { failback: soon, preferred: 3 }\n` }),
  );
  t.regex(bad.message, /failover.failback holds "soon"; expected never, or a duration/);
  t.regex(bad.message, /failover.preferred holds 3; expected true or false/);
});

test(refused, 'lease: { store: etcd }', /lease.store holds "etcd": not available/);
test(refused, 'lease: { etcd: ["http://e:2379"] }', /lease.etcd holds .*: not available/);
test(refused, 'checks: [{ tcp: "x:1" }]', /checks holds .*: not available/);

test('the defaults of what this version does not do may be written down', (t) => {
  const text = `${GOOD}
failover: { mode: automatic, preferred: false, failback: never }
lease: { store: postgres, etcd: [] }
checks: []
vip:
tls:
`;
  t.notThrows(() => load({ text }));
});

const FILES = 'tls: { cert: c.pem, key: c.key, ca: ca.pem }';
const SECURE = {
  'heartbeat.url': 'https://10.0.0.11:7400',
  'heartbeat.peers': '[https://10.0.0.12:7400]',
  'controller.url': 'https://10.0.0.11:7300',
};

test('I5: the files of the certificate are read; without them the links are plain', (t) => {
  const { tls } = load({ text: `${GOOD}\n${FILES}\n`, overrides: SECURE });
  t.deepEqual(tls, { cert: 'c.pem', key: 'c.key', ca: 'ca.pem', crl: null, plain: 'refuse' });
  t.is(load({}).tls, null);
});

test('I5: URLs that do not fit to tls are refused, each by its key', (t) => {
  const { message } = errorOf(() => load({ text: `${GOOD}\n${FILES}\n` }));
  for (const key of ['heartbeat.url', 'heartbeat.peers', 'controller.url']) {
    t.regex(message, new RegExp(`${key} holds http://.*; expected .*https://, because tls is set`));
  }
  const plain = errorOf(() => load({ overrides: SECURE })).message;
  t.regex(plain, /heartbeat.peers holds https:.*http:\/\/, because tls is not set/);
  const one = { ...SECURE, 'heartbeat.peers': '[http://10.0.0.12:7400]' };
  const mixed = errorOf(() => load({ text: `${GOOD}\n${FILES}\n`, overrides: one })).message;
  t.regex(mixed, /1 error/);
  t.regex(mixed, /heartbeat.peers holds http:\/\/10.0.0.12:7400; expected/);
});

test('I5: while plain HTTP is accepted beside TLS, URLs may be of either kind', (t) => {
  const text = `${GOOD}\ntls: { cert: c.pem, key: c.key, ca: ca.pem, plain: accept }\n`;
  t.is(load({ text }).tls?.plain, 'accept');
  const mixed = { 'heartbeat.peers': '[https://10.0.0.12:7400]' };
  t.deepEqual(load({ text, overrides: mixed }).heartbeat.peers, ['https://10.0.0.12:7400']);
  t.notThrows(() => load({ text, overrides: SECURE }));
});

test('I5: plain HTTP can be accepted only where there is something else', (t) => {
  const { message } = errorOf(() => load({ text: `${GOOD}\ntls: { plain: accept }\n` }));
  t.regex(message, /1 error/);
  t.regex(message, /tls.plain holds accept; expected tls.cert, tls.key and tls.ca beside it/);
});

test('I5: one file of the certificate without the others is refused', (t) => {
  const { message } = errorOf(() => load({ text: `${GOOD}\ntls: { cert: c.pem, ca: ca.pem }\n` }));
  t.regex(message, /1 error/);
  t.regex(message, /tls.key is missing; expected .* because tls.cert and tls.ca are set/);
  const { message: alone } = errorOf(() => load({ text: `${GOOD}\ntls: { crl: ca.crl }\n` }));
  t.regex(alone, /3 errors/);
  t.regex(alone, /tls.ca is missing; expected .* because tls.crl is set/);
});

test('D10: a virtual address is read, or several of both families, each in its shortest form', (t) => {
  const [one] = load({ text: `${GOOD}\nvip: { address: 10.0.0.10/24, interface: eth0 }\n` }).vip;
  t.deepEqual(one, { address: '10.0.0.10', prefix: 24, family: 4, interface: 'eth0' });
  const overrides = {
    vip: '[{ address: 10.0.0.10/24, interface: eth0 }, { address: "FD00:0:0::A/64", interface: bond0.7 }]',
    'controller.listen': '[::]:7300',
  };
  t.deepEqual(load({ overrides }).vip[1], {
    ...{ address: 'fd00::a', prefix: 64, family: 6 },
    interface: 'bond0.7',
  });
  t.deepEqual(load({}).vip, []);
});

test('what is no virtual address is refused with what is expected', (t) => {
  for (const vip of [
    '{ address: 10.0.0.10, interface: eth0 }',
    '{ address: 10.0.0.10/33, interface: eth0 }',
    '{ address: 10.0.0/24, interface: eth0 }',
    '{ address: 127.0.0.1/8, interface: lo }',
    '{ address: "fe80::1/64", interface: eth0 }',
    '{ address: "fd00::1/0", interface: eth0 }',
    '{ address: 10.0.0.10/24, interface: "eth0 up" }',
    '{ address: 10.0.0.10/24, interface: an-interface-name-that-is-long }',
    '{ address: 10.0.0.10/24 }',
    '[{ address: 10.0.0.10/24, interface: eth0 }, { address: 10.0.0.10/16, interface: eth1 }]',
  ]) {
    const { message } = errorOf(() => load({ overrides: { vip } }));
    t.regex(message, /vip holds .*; expected an address with the length of its prefix/, vip);
  }
});

test('what must lead to one host alone is not a virtual address, and its port is open at each', (t) => {
  const vip = '{ address: 10.0.0.12/24, interface: eth0 }';
  t.regex(
    errorOf(() => load({ overrides: { vip } })).message,
    /heartbeat.peers holds .*10\.0\.0\.12.*, which moves from host to host/,
  );
  const narrow = {
    vip: '{ address: 10.0.0.10/24, interface: eth0 }',
    'controller.listen': '10.0.0.11:7300',
  };
  t.regex(
    errorOf(() => load({ overrides: narrow })).message,
    /controller.listen holds 10.0.0.11, where nobody is heard .*; expected 0.0.0.0:7300/,
  );
  t.notThrows(() => load({ overrides: { ...narrow, 'controller.command': '[sleep, "9"]' } }));
});

test('unsafe timers are refused with the law and the numbers', (t) => {
  const { message } = errorOf(() => load({ overrides: { 'lease.renewEvery': '1s' } }));
  t.regex(
    message,
    /P \+ 2R <= T - M does not hold: 1000 \+ 2 \* 150 = 1300 ms is more than 1188 - 112/,
  );
});

test('a target that is too small is refused with the smallest possible one', (t) => {
  const { message } = errorOf(() => load({ overrides: { 'failover.target': '300ms' } }));
  const smallest = /the smallest possible one is (\d+ms)/.exec(message)?.[1] ?? '';
  t.notThrows(() => load({ overrides: { 'failover.target': smallest } }), message);
});

test('rules between values are checked', (t) => {
  const own = { 'heartbeat.peers': '[http://10.0.0.12:7400, http://10.0.0.11:7400]' };
  t.regex(errorOf(() => load({ overrides: own })).message, /this node's own heartbeat.url/);
  const same = { 'controller.url': 'http://10.0.0.11:7400' };
  t.regex(errorOf(() => load({ overrides: same })).message, /expected another port/);
  const check = { 'controller.check': '{ tcp: "h:1" }' };
  t.regex(errorOf(() => load({ overrides: check })).message, /controller.command is not/);
  const lost = { 'agents.lostAfter': '1s' };
  t.regex(errorOf(() => load({ overrides: lost })).message, /3 times agents.beatEvery \(500ms\)/);
});

test('a file that is no YAML, has a key twice, or is not there is one clear error', (t) => {
  t.regex(errorOf(() => load({ text: 'a: [' })).message, /is not YAML/);
  t.regex(errorOf(() => load({ text: `${GOOD}\npair: again\n` })).message, /is not YAML: .*unique/);
  t.regex(errorOf(() => load({ text: '- a\n- b\n' })).message, /expected keys and values/);
  const gone = errorOf(() => loadControllerHostConfig({ file: join(folder, 'gone'), env: {} }));
  t.regex(gone.message, /no such file/);
  t.is(gone.exitCode, 78);
});

test('keys that exist on every object are unknown keys', (t) => {
  const text = `${GOOD}\nconstructor: 1\n__proto__: { pair: x }\ntoString: 2\n`;
  const { message } = errorOf(() => load({ text }));
  t.regex(message, /constructor is not a known key/);
  t.regex(message, /toString is not a known key/);
});
