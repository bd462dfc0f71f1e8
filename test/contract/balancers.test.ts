import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PairController } from '@understudy/scripts/install/lb/controllers';
import { haproxyConfig } from '@understudy/scripts/install/lb/haproxy';
import { keepalivedConfig } from '@understudy/scripts/install/lb/keepalived';
import { nginxConfig } from '@understudy/scripts/install/lb/nginx';
import test, { type ExecutionContext } from 'ava';
import { needing, needingRoot } from '../support/balancer/needing.ts';

// What `install lb` writes is understood by the programs that it is for.

const WITHIN_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'understudy-lb-'));
// keepalived looks at its file as a plain user here.
chmodSync(folder, 0o755);
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const pace = {
  ...{ checkEveryMs: 200, checkFastMs: 100, checkTimeoutMs: 1_000 },
  ...{ connectMs: 200, waitMs: 4_800, retries: 24 },
};

const pairs = {
  'of two hosts': ['10.0.0.11', '10.0.0.12'],
  'of three hosts': ['10.0.0.11', '10.0.0.12', '10.0.0.13'],
  'that speaks IPv6': ['[fd00::11]', '[fd00::12]'],
};

function factsOf(hosts: readonly string[]) {
  const controllers = hosts.map(
    (host, index): PairController => ({
      name: `node-${index}.x`,
      controller: new URL(`http://${host}:7300`),
      heartbeat: new URL(`http://${host}:7400`),
      source: 'the test',
    }),
  );
  const listen = ['0.0.0.0', '::'].map((host) => ({ host, port: 7300 }));
  return { pair: 'orders', controllers, listen, pace };
}

/** Runs a program that looks at the file; its exit code has to be 0. */
async function isUnderstood(
  t: ExecutionContext,
  text: string,
  command: (file: string) => readonly string[],
): Promise<void> {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.conf`);
  writeFileSync(file, text);
  const [program = '', ...args] = command(file);
  const said = await new Promise<string | null>((resolve) => {
    const env = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    const child = execFile(program, args, { timeout: WITHIN_MS, env }, (error, stdout, stderr) => {
      const ended = `${child.exitCode ?? child.signalCode}`;
      resolve(error === null ? null : `ended with ${ended}\n${stdout}${stderr}`);
    });
  });
  t.is(said, null, text);
}

for (const [name, hosts] of Object.entries(pairs)) {
  const facts = factsOf(hosts);

  for (const check of ['http', 'tcp'] as const) {
    test(
      `HAProxy understands its configuration for a pair ${name}, form ${check}`,
      needing(['haproxy'], async (t) => {
        for (const stats of [false, true]) {
          const text = haproxyConfig({ ...facts, check, stats, ca: null, container: false });
          await isUnderstood(t, text, (file) => ['haproxy', '-c', '-f', file]);
        }
      }),
    );
  }

  test(
    `nginx understands its configuration for a pair ${name}`,
    needing(['nginx'], async (t) => {
      await isUnderstood(t, nginxConfig(facts), (file) => {
        const pid = `pid ${join(folder, 'nginx.pid')};`;
        return ['nginx', '-t', '-e', 'stderr', '-g', pid, '-c', file];
      });
    }),
  );

  test(
    `keepalived understands its configuration for a pair ${name}`,
    needingRoot(['keepalived', 'curl', 'ip'], async (t) => {
      const [own, ...others] = facts.controllers.map(({ heartbeat }) => heartbeat);
      if (own === undefined) return t.fail();
      const ask = { host: '127.0.0.1', port: 7400 };
      const more = { pair: 'orders', routerId: 7, ask, own, others };
      const [four, six] = ['10.0.0.10/24', 'fd00::10/64'].map((vip) => ({
        vip,
        interface: 'eth0',
      }));
      if (four === undefined || six === undefined) return t.fail();
      const elsewhere = { ...six, interface: 'eth1' };
      for (const addresses of [[four], [six], [four, six], [six, four], [four, elsewhere]]) {
        const text = keepalivedConfig({ ...more, addresses });
        await isUnderstood(t, text, inOwnNetwork);
      }
    }),
  );
}

/**
 * In a network of its own, for it wants the interface to be there. As nobody: version 2.2.7 ends its own look at
 * a file (143) when it is root and the scripts in it are not run by root.
 */
function inOwnNetwork(file: string): string[] {
  const interfaces = 'ip link add eth0 type veth peer name eth1';
  const nobody = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups';
  const look = `keepalived --config-test --use-file ${file}`;
  return ['unshare', '--net', 'sh', '-c', `${interfaces} && ${nobody} ${look}`];
}
