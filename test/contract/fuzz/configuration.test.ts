import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeConfig } from '@understudy/shared/runtime/config/describe';
import { agentKeys, controllerHostKeys } from '@understudy/shared/runtime/config/keys';
import { loadAgentConfig, loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import { type Environment, environmentName } from '@understudy/shared/runtime/config/sources';
import { UserError } from '@understudy/shared/runtime/errors';
import test from 'ava';
import fc from 'fast-check';
import { runCommand } from '../../support/cluster/program.ts';
import { noFault } from './support/fuzzing.ts';
import { nastyTexts, nastyValue } from './support/nasty.ts';

const folder = mkdtempSync(join(tmpdir(), 'understudy-config-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const SECRET = 'S3CRET';
const good = `pair: orders
node: a
database: postgres://user:${SECRET}-pw@db1:5432,db2:5432/understudy
token: ${SECRET}-token
heartbeat: { url: http://10.0.0.11:7400, peers: [http://10.0.0.12:7400] }
controller: { url: http://10.0.0.11:7300 }
`;
const goodAgent = `pair: orders
agent: w1
controllers: [http://10.0.0.11:7300]
token: ${SECRET}-token
`;

let files = 0;
function fileOf(content: string | Buffer): string {
  files += 1;
  const file = join(folder, `${files % 10}.yaml`);
  writeFileSync(file, content);
  return file;
}

const loaders = {
  controller: (file: string, env: Environment) => loadControllerHostConfig({ file, env }),
  worker: (file: string, env: Environment) => loadAgentConfig({ file, env }),
  print: (file: string, env: Environment) => describeConfig({ file, env }),
};
type Loader = keyof typeof loaders;
const anyLoader = fc.constantFrom(...(Object.keys(loaders) as Loader[]));

const MOST_SAID = 64 * 1024;
const WITHIN_MS = 10_000;

/** What an operator would be told; null when the configuration is taken. Throws for what is no message. */
function refusalOf(loader: Loader, content: string | Buffer, env: Environment = {}): string | null {
  try {
    loaders[loader](fileOf(content), env);
    return null;
  } catch (error) {
    if (error instanceof UserError && error.exitCode === 78) return error.message;
    throw error;
  }
}

/** Whatever it is, it is taken or refused in time, in words that fit a screen and give nothing away. */
function faultOf(loader: Loader, content: string | Buffer, env: Environment = {}): string | null {
  const startedAt = performance.now();
  const message = refusalOf(loader, content, env) ?? '';
  const tookMs = performance.now() - startedAt;
  if (tookMs > WITHIN_MS) return `took ${Math.round(tookMs)} ms`;
  if (message.includes(SECRET)) return `gives a secret away: ${message}`;
  if (message.length > MOST_SAID) return `says ${message.length} letters`;
  return /\n\s+at /.test(message) ? `shows a stack: ${message}` : null;
}

const keysOf = { controller: Object.keys(controllerHostKeys), worker: Object.keys(agentKeys) };
const spoiltKey = fc
  .constantFrom('controller' as const, 'worker' as const)
  .chain((loader) => fc.tuple(fc.constant(loader), fc.constantFrom(...keysOf[loader])));

/** The file of a host in which one key holds something else. */
function withKey(loader: 'controller' | 'worker', key: string, value: unknown): string {
  const [section = '', name] = key.split('.');
  const text = loader === 'controller' ? good : goodAgent;
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(`${section}:`));
  const rest = text.split('\n').find((line) => line.startsWith(`${section}:`)) ?? '';
  if (name === undefined) return [...lines, `${section}: ${JSON.stringify(value)}`].join('\n');
  const inner = /\{ (.*) \}/.exec(rest)?.[1] ?? '';
  // What was there of the section stays, unless it is what is spoilt.
  const kept = inner
    .split(/, (?=[a-z]+:)/)
    .filter((part) => part !== '' && !part.startsWith(`${name}:`));
  return [
    ...lines,
    `${section}: { ${[...kept, `${JSON.stringify(name)}: ${JSON.stringify(value)}`].join(', ')} }`,
  ].join('\n');
}

test('F89: a key that holds something wrong is named, from the file and from the environment', async (t) => {
  await noFault(t, {
    runs: 500,
    cases: fc.tuple(spoiltKey, nastyValue),
    faultOf: ([[loader, key], value]) => {
      const text = withKey(loader, key, value);
      const message = refusalOf(loader, text);
      // Rules between several keys name them all, in their own words.
      const isNamed =
        message === null ||
        message.includes(key.split('.')[0] ?? key) ||
        message.includes('timers');
      return isNamed ? faultOf(loader, text) : `does not name ${key}: ${message}`;
    },
  });
  await noFault(t, {
    runs: 500,
    cases: fc.tuple(
      spoiltKey,
      fc.oneof(fc.constantFrom(...nastyTexts), fc.string({ unit: 'binary' })),
    ),
    faultOf: ([[loader, key], text]) =>
      faultOf(loader, loader === 'controller' ? good : goodAgent, { [environmentName(key)]: text }),
  });
});

test('F89: wrong values at several places are all named at once', (t) => {
  const text = good.replace('node: a', 'node: ""').replace('7300', '99999');
  const message = refusalOf('controller', `${text}\nnonsense: 1\nlog: { level: loud }`, {}) ?? '';
  for (const key of ['node', 'controller.url', 'nonsense', 'log.level'])
    t.true(message.includes(key));
  t.regex(message, /4 errors/);
});

test('F91: a file that was written half, or has a letter too many, is taken or refused, and keeps its secrets', async (t) => {
  for (let length = 0; length < good.length; length += 1) {
    t.is(faultOf('controller', good.slice(0, length)), null, good.slice(0, length));
  }
  await noFault(t, {
    runs: 500,
    cases: fc.tuple(
      anyLoader,
      fc.nat(good.length),
      fc.constantFrom(...'*|>!@%&"\'[]{}#,?-`\0\ufeff\t\ud800'),
    ),
    faultOf: ([loader, at, letter]) => faultOf(loader, good.slice(0, at) + letter + good.slice(at)),
  });
});

test('F91: files of wrong encodings, of bytes and of anything else are refused in words', async (t) => {
  for (const content of [
    Buffer.from(good, 'utf16le'),
    Buffer.from(`\ufeff${good}`, 'utf16le'),
    Buffer.from(good.replace('orders', 'b\u00e9'), 'latin1'),
    Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]),
  ]) {
    t.truthy(refusalOf('controller', content));
    t.is(faultOf('controller', content), null);
  }
  t.is(refusalOf('controller', `\ufeff${good}`), null);
  const bytes = fc.uint8Array({ maxLength: 2_000 }).map((array) => Buffer.from(array));
  await noFault(t, {
    runs: 300,
    cases: fc.tuple(anyLoader, bytes),
    faultOf: ([loader, content]) => faultOf(loader, content),
  });
});

const letters = [...'bcdefghijk'];
const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...letters.map((name, index) => {
    const below = [...'abcdefghij'][index];
    return `${name}: &${name} [${Array(9).fill(`*${below}`).join(', ')}]`;
  }),
].join('\n');

for (const [what, content] of Object.entries({
  'aliases of aliases': bomb,
  'a list of itself': 'database: &d [*d]',
  'a key of itself': 'heartbeat: &h { url: *h }',
  '100,000 open brackets': `pair: ${'['.repeat(100_000)}`,
  '60,000 open braces': '{a: '.repeat(15_000),
  '30,000 lists in a line': '- '.repeat(30_000),
  'an ever deeper indentation': Array.from(
    { length: 350 },
    (_, depth) => `${' '.repeat(depth)}a:`,
  ).join('\n'),
  '8,000 keys': Array.from({ length: 8_000 }, (_, index) => `k${index}:`).join('\n'),
  'a key of 60 KB': `${'k'.repeat(60_000)}: 1`,
  '50 MB': Buffer.alloc(50_000_000, 'a: b\n'),
})) {
  test(`F91: a configuration of ${what} is refused in time and in few words`, (t) => {
    for (const loader of ['controller', 'worker', 'print'] as const) {
      t.is(faultOf(loader, content), null);
      t.truthy(refusalOf(loader, content));
    }
    for (const key of ['heartbeat.peers', 'controller.check', 'hooks.promoted']) {
      const env = { [environmentName(key)]: content.toString('utf8').slice(0, 200_000) };
      t.is(faultOf('controller', good, env), null);
    }
  });
}

test('I3: what env:NAME needs and is not there is named, and what is there is not shown', (t) => {
  const text = good
    .replace(`${SECRET}-token`, 'env:TOKEN')
    .replace(/database: .*/, 'database: env:DB');
  const missing = refusalOf('controller', text) ?? '';
  for (const name of ['TOKEN', 'DB', 'token', 'database']) t.true(missing.includes(name));
  for (const bad of [
    `${SECRET} with spaces`,
    `postgres://u:${SECRET}`,
    `u:${SECRET}@h/db`,
    `\0${SECRET}`,
  ]) {
    const env = { TOKEN: `${bad} `, DB: bad };
    t.is(faultOf('controller', text, env), null);
    t.truthy(refusalOf('controller', text, env));
  }
});

test('F91: every command that needs a configuration ends with 78 and no stack when it is bad', async (t) => {
  const asFolder = join(folder, 'a-folder.yaml');
  mkdirSync(asFolder);
  const deep = join(folder, 'deep.yaml');
  writeFileSync(deep, '['.repeat(50_000));
  const files = [asFolder, deep, '/dev/zero', '/proc/self/mem', join(folder, 'none.yaml')];
  const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  for (const [index, file] of files.entries()) {
    const command = ['heartbeat', 'agent', 'create', 'config check', 'status'][index] ?? '';
    const { code, stdout, stderr } = await runCommand(
      [...command.split(' '), '--config', file],
      environment,
    );
    t.is(code, 78, `${command} with ${file}: ${stderr}`);
    t.notRegex(stdout + stderr, /\n\s+at /);
    t.true(stderr.includes(file), stderr);
  }
});
