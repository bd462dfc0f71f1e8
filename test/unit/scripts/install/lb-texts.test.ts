import type { PairController } from '@understudy/scripts/install/lb/controllers';
import { haproxyConfig } from '@understudy/scripts/install/lb/haproxy';
import { keepalivedConfig, routerIdOf } from '@understudy/scripts/install/lb/keepalived';
import { nginxConfig } from '@understudy/scripts/install/lb/nginx';
import test from 'ava';

const pace = {
  ...{ checkEveryMs: 200, checkFastMs: 100, checkTimeoutMs: 1_000 },
  ...{ connectMs: 200, waitMs: 4_800, retries: 24 },
};

function controllerAt(name: string, host: string): PairController {
  return {
    name,
    controller: new URL(`http://${host}:7300`),
    heartbeat: new URL(`http://${host}:7400`),
    source: 'the test',
  };
}

const facts = {
  pair: 'orders',
  controllers: [controllerAt('a', '10.0.0.11'), controllerAt('b', '[fd00::12]')],
  listen: [
    { host: '0.0.0.0', port: 7300 },
    { host: '::', port: 7300 },
  ],
  pace,
};
const http = { ...facts, check: 'http', ca: null, stats: false, container: false } as const;

/** The lines that are no comments, without their margins. */
function settings(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

test('HAProxy asks the heartbeats, at their port, and sends to the port of the controllers', (t) => {
  const lines = settings(haproxyConfig(http));
  t.true(lines.includes('server a 10.0.0.11:7300 check addr 10.0.0.11 port 7400'));
  t.true(lines.includes('server b [fd00::12]:7300 check addr [fd00::12] port 7400'));
  t.true(lines.includes('http-check send meth GET uri /active ver HTTP/1.1 hdr Host understudy'));
});

test('HAProxy repeats what may have been carried out only if it reads or carries a key', (t) => {
  const lines = settings(haproxyConfig(http));
  t.true(lines.includes('retry-on conn-failure empty-response'));
  const rule =
    'http-request disable-l7-retry unless { method GET HEAD } or { req.hdr(Idempotency-Key) -m found }';
  const rules = lines.filter((line) => line.startsWith('http-request disable-l7-retry'));
  t.deepEqual(rules, [rule, rule], 'of each backend');
});

test('HAProxy trusts its checks while they know of one active, and else tries every port, in both forms', (t) => {
  for (const check of ['http', 'tcp'] as const) {
    const lines = settings(haproxyConfig({ ...http, check }));
    t.true(lines.includes('use_backend controllers if { nbsrv(controllers) eq 1 }'));
    const anyOpen = lines.slice(lines.indexOf('backend any-open'));
    t.deepEqual(
      anyOpen.filter((line) => line.startsWith('server ')),
      ['server a-open 10.0.0.11:7300 backup', 'server b-open [fd00::12]:7300 backup'],
    );
  }
});

test('an HAProxy that only looks at ports understands no HTTP', (t) => {
  const lines = settings(haproxyConfig({ ...http, check: 'tcp' }));
  t.true(lines.includes('mode tcp'));
  t.true(lines.includes('server a 10.0.0.11:7300 check'));
  t.deepEqual(
    lines.filter((line) => /http/.test(line)),
    [],
  );
});

test('HAProxy asks heartbeats over TLS with verification, and passes on what users encrypt for a controller', (t) => {
  const secure = (url: URL) => new URL(url.href.replace('http:', 'https:'));
  const named = [...facts.controllers, controllerAt('c', 'three.example')];
  const controllers = named.map((each) => ({
    ...each,
    ...{ controller: secure(each.controller), heartbeat: secure(each.heartbeat) },
  }));
  const lines = settings(haproxyConfig({ ...http, controllers, ca: '/etc/our pki/ca.pem' }));
  t.true(lines.includes('mode tcp'));
  t.deepEqual(
    lines.filter((line) => /l7-retry|http-request/.test(line)),
    [],
  );
  const verified = "check-ssl verify required ca-file '/etc/our pki/ca.pem'";
  t.true(lines.includes(`server a 10.0.0.11:7300 check addr 10.0.0.11 port 7400 ${verified}`));
  const sni = 'check-sni three.example verifyhost three.example';
  t.true(lines.some((line) => line.endsWith(`${verified} ${sni}`)));
  const wrapped = facts.controllers.map((each) => ({ ...each, heartbeat: secure(each.heartbeat) }));
  const inside = settings(haproxyConfig({ ...http, controllers: wrapped, ca: '/ca.pem' }));
  t.true(inside.includes('mode http'));
  t.true(inside.some((line) => line.includes('check-ssl verify required ca-file /ca.pem')));
});

test('the page of HAProxy is there when it is asked for, on loopback alone', (t) => {
  t.false(settings(haproxyConfig(http)).includes('frontend stats'));
  const lines = settings(haproxyConfig({ ...http, stats: true }));
  t.true(lines.includes('bind 127.0.0.1:8404'));
});

test('an IPv6 address is listened on apart from those of IPv4', (t) => {
  const lines = settings(haproxyConfig(http));
  t.true(lines.includes('bind 0.0.0.0:7300'));
  t.true(lines.includes('bind [::]:7300 v6only'));
  t.true(settings(nginxConfig(facts)).includes('listen [::]:7300;'));
});

test('a name may be unknown when HAProxy starts', (t) => {
  const named = [controllerAt('a', 'one.example'), controllerAt('b', 'two.example')];
  const lines = settings(haproxyConfig({ ...http, controllers: named }));
  t.true(lines.includes('default-server init-addr last,libc,none'));
  t.false(haproxyConfig(http).includes('init-addr'));
});

test('in a container HAProxy looks names up again and again, and is nobody special', (t) => {
  const named = [controllerAt('a', 'one.example'), controllerAt('b', 'two.example')];
  const lines = settings(haproxyConfig({ ...http, controllers: named, container: true }));
  const follows = lines.filter(
    (line) => line === 'default-server resolvers container init-addr none',
  );
  t.is(follows.length, 2, 'in each backend');
  t.true(lines.includes('resolvers container'));
  t.false(lines.some((line) => /^(user|group) /.test(line)));
});

test('nginx never repeats what it sent and does not only read, but for what does the same twice', (t) => {
  const lines = settings(nginxConfig(facts));
  t.true(lines.includes('proxy_next_upstream error timeout;'));
  t.true(lines.includes('server [fd00::12]:7300 max_fails=0 backup;'));
  t.false(lines.some((line) => line.includes('non_idempotent')));
});

test('every text says how the controllers are known', (t) => {
  for (const text of [haproxyConfig(http), nginxConfig(facts)]) {
    t.regex(text, /a: controller http:\/\/10\.0\.0\.11:7300 \(from the test\)/);
  }
});

const keepalived = {
  pair: 'orders',
  own: new URL('http://10.0.0.11:7400'),
  ask: { host: '127.0.0.1', port: 7400 },
  others: [new URL('http://10.0.0.12:7400')],
  addresses: [{ vip: '10.0.0.10/24', interface: 'eth0' }],
  routerId: 7,
};

test('keepalived asks the heartbeat of its own host, and takes no part while that is not active', (t) => {
  const lines = settings(keepalivedConfig(keepalived));
  t.true(
    lines.includes('script "/usr/bin/curl -fsS -o /dev/null -m 1 http://127.0.0.1:7400/active"'),
  );
  t.true(lines.includes('init_fail'));
  const own = new URL('https://10.0.0.11:7400');
  const secure = settings(keepalivedConfig({ ...keepalived, own }));
  t.true(
    secure.includes(
      'script "/usr/bin/curl -fsS -k -o /dev/null -m 1 https://127.0.0.1:7400/active"',
    ),
  );
  t.false(lines.some((line) => line.startsWith('weight')));
});

test('adverts go straight to the peers where all addresses are of one kind, else to all', (t) => {
  t.true(settings(keepalivedConfig(keepalived)).includes('unicast_src_ip 10.0.0.11'));
  const named = { ...keepalived, others: [new URL('http://two.example:7400')] };
  t.false(settings(keepalivedConfig(named)).includes('unicast_peer {'));
  const mixed = { ...keepalived, addresses: [{ vip: 'fd00::10/64', interface: 'eth0' }] };
  t.false(settings(keepalivedConfig(mixed)).includes('unicast_peer {'));
});

test('the number of the virtual router follows from the name of the pair', (t) => {
  t.is(routerIdOf('orders'), routerIdOf('orders'));
  t.not(routerIdOf('orders'), routerIdOf('invoices'));
  for (const pair of ['a', 'b', 'c', 'orders']) {
    t.true(routerIdOf(pair) >= 1 && routerIdOf(pair) <= 255);
  }
});

test('keepalived moves several addresses together, and names those of one kind in its adverts', (t) => {
  const six = { vip: 'fd00::10/64', interface: 'bond0.7' };
  const addresses = [...keepalived.addresses, { vip: '10.0.1.10/24', interface: 'eth1' }, six];
  const text = settings(keepalivedConfig({ ...keepalived, addresses })).join('\n');
  t.regex(text, /virtual_ipaddress \{\n10\.0\.0\.10\/24\n10\.0\.1\.10\/24 dev eth1\n\}/);
  t.regex(text, /virtual_ipaddress_excluded \{\nfd00::10\/64 dev bond0\.7\n\}/);
});
