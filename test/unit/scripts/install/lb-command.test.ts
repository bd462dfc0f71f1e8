import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeAuthorityFiles, makeMemberFiles } from '@understudy/scripts/cert/make';
import test, { type ExecutionContext } from 'ava';

const COMMAND = fileURLToPath(new URL('../../../../../scripts/bin/understudy.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'understudy-lb-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function install(args: readonly string[], config: string): Promise<Outcome> {
  const options = { cwd: folder, env: { PATH: process.env['PATH'] } };
  const all = [COMMAND, 'install', 'lb', ...args, '--config', config];
  return new Promise((resolve) => {
    execFile(process.execPath, all, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Nobody listens at the port of discard. */
function configOf(name: string, peer = 'http://127.0.0.1:9', more = ''): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `
pair: orders
node: a
database: postgres://user:hidden-one@127.0.0.1:9/db
token: hidden-two
heartbeat: { url: "${schemeOf(peer)}//10.0.0.11:7400", peers: ["${peer}"] }
controller: { url: "${schemeOf(peer)}//10.0.0.11:7300" }
${more}
`,
  );
  return file;
}

const schemeOf = (url: string) => new URL(url).protocol;

/** A heartbeat that tells where its controller is. */
async function startPeer(t: ExecutionContext): Promise<string> {
  const status = {
    ...{ pair: 'orders', node: 'b', role: 'passive', phase: 'watching', term: '1', active: null },
    ...{ ready: true, notReady: [], failsafe: false, paused: false },
    controller: { state: 'ready', pid: 1, url: 'http://10.0.0.12:7309' },
  };
  const server = createServer((_request, response) => response.end(JSON.stringify(status)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a peer's heartbeat is asked for its controller, and it is said that it was", async (t) => {
  const peer = await startPeer(t);
  const { code, stdout, stderr } = await install(['haproxy'], configOf('asked.yaml', peer));
  t.is(code, 0, stderr);
  t.true(stdout.includes('server b 10.0.0.12:7309 check'));
  t.true(stderr.includes(`b is known from the status of ${peer}`));
});

test('a peer that does not answer is taken to be like this host, and it is said that this is a guess', async (t) => {
  const { code, stdout, stderr } = await install(['haproxy'], configOf('guessed.yaml'));
  t.is(code, 0);
  t.true(stdout.includes('server peer1 127.0.0.1:7300 check'));
  t.regex(stderr, /peer1 is known from a guess/);
});

test('--controller says it, one for each peer', async (t) => {
  const config = configOf('given.yaml');
  const given = ['--controller', 'http://10.0.0.12:7310'];
  const { stdout } = await install(['nginx', ...given], config);
  t.true(stdout.includes('server 10.0.0.12:7310 max_fails=1 fail_timeout=1s;'));
  const { code, stderr } = await install(['nginx', ...given, ...given], config);
  t.is(code, 1);
  t.regex(stderr, /--controller was given 2 times; expected one URL for each peer/);
});

test('no secret of the configuration is in what is written', async (t) => {
  const config = configOf('secret.yaml');
  const vip = ['--vip', '10.0.0.10/24', '--interface', 'eth0'];
  for (const args of [['haproxy'], ['nginx'], ['keepalived', ...vip]]) {
    const { stdout } = await install(args, config);
    t.true(stdout.length > 100);
    t.notRegex(stdout, /hidden/);
  }
});

test('a file that is there is left alone without --force', async (t) => {
  const config = configOf('out.yaml');
  const out = join(folder, 'haproxy.cfg');
  t.is((await install(['haproxy', '--out', out], config)).code, 0);
  t.regex(readFileSync(out, 'utf8'), /backend controllers/);
  writeFileSync(out, 'mine');
  const { code, stderr } = await install(['haproxy', '--out', out], config);
  t.is(code, 1);
  t.regex(stderr, /--out holds ".*haproxy\.cfg": is there already; --force overwrites it/);
  t.is(readFileSync(out, 'utf8'), 'mine');
  t.is((await install(['haproxy', '--out', out, '--force'], config)).code, 0);
  t.not(readFileSync(out, 'utf8'), 'mine');
});

test('wrong options are refused with what is expected', async (t) => {
  const config = configOf('wrong.yaml');
  const wrong = {
    'haproxy --listen 7300': /--listen holds "7300"; expected an address like/,
    'haproxy --controller 10.0.0.12': /--controller holds "10\.0\.0\.12"; expected a URL like/,
    'keepalived --vip 10.0.0.10/24 --interface eth0 --for http://other:1': /expected one of http/,
    'keepalived --vip 10.0.0.10/24':
      /--interface is missing, and vip of the configuration does not/,
    'keepalived --interface eth0': /--vip is missing, and the configuration has no vip; expected/,
  };
  for (const [args, message] of Object.entries(wrong)) {
    const { code, stdout, stderr } = await install(args.split(' '), config);
    t.is(code, 1, args);
    t.is(stdout, '', args);
    t.regex(stderr, message, args);
  }
});

const TLS = `tls: { cert: ${folder}/node-a.pem, key: ${folder}/node-a.key, ca: ${folder}/ca.pem }`;

test('what is encrypted passes through HAProxy, which verifies the heartbeats, and not through nginx', async (t) => {
  const options = { folder, days: 1, isForced: false, nowMs: Date.now() };
  await makeAuthorityFiles('orders', options);
  await makeMemberFiles({ pair: 'orders', kind: 'node', id: 'a' }, ['10.0.0.11'], options);
  const config = configOf('secure.yaml', 'https://127.0.0.1:9', TLS);
  const { code, stdout } = await install(['haproxy'], config);
  t.is(code, 0);
  t.regex(stdout, new RegExp(`check-ssl verify required ca-file ${folder}/ca.pem`));
  const elsewhere = await install(['haproxy', '--ca', '/etc/haproxy/ca.pem'], config);
  t.regex(elsewhere.stdout, /check-ssl verify required ca-file \/etc\/haproxy\/ca.pem/);
  t.notRegex((await install(['haproxy', '--check', 'tcp'], config)).stdout, /ssl/);
  const { code: refused, stderr } = await install(['nginx'], config);
  t.is(refused, 1);
  t.regex(stderr, /https:\/\/10\.0\.0\.11:7300 is encrypted/);
  const mixed = await install(['haproxy', '--controller', 'http://10.0.0.12:7300'], config);
  t.is(mixed.code, 1);
  t.regex(mixed.stderr, /https:\/\/10.*, http:\/\/10.*; expected http: for all of them, or https:/);
});

test('the file of a peer for keepalived differs in its addresses', async (t) => {
  const config = configOf('peer.yaml', 'http://10.0.0.12:7400');
  const vip = ['keepalived', '--vip', '10.0.0.10/24', '--interface', 'eth0'];
  const { stdout: own } = await install(vip, config);
  const { stdout: other } = await install([...vip, '--for', 'http://10.0.0.12:7400'], config);
  t.regex(own, /unicast_src_ip 10\.0\.0\.11/);
  t.regex(other, /unicast_src_ip 10\.0\.0\.12/);
  t.is(/virtual_router_id \d+/.exec(own)?.[0], /virtual_router_id \d+/.exec(other)?.[0]);
});

test('keepalived moves what the configuration says, and it is said that the heartbeats would do it as well', async (t) => {
  const more =
    'vip: [{ address: 10.0.0.10/24, interface: eth7 }, { address: 10.0.0.9/24, interface: eth8 }]';
  const config = configOf('vip.yaml', 'http://10.0.0.12:7400', more);
  const { code, stdout, stderr } = await install(['keepalived'], config);
  t.is(code, 0, stderr);
  t.regex(
    stdout,
    /interface eth7\n[\s\S]*virtual_ipaddress \{\n +10\.0\.0\.10\/24\n +10\.0\.0\.9\/24 dev eth8\n/,
  );
  t.regex(stderr, /take vip out of the configuration of every host/);
  const { stdout: one } = await install(['keepalived', '--vip', '10.0.0.9/24'], config);
  t.regex(one, /interface eth8\n[\s\S]*virtual_ipaddress \{\n +10\.0\.0\.9\/24\n +\}/);
});
