import { resolve } from 'node:path';
import { type Kind, listenKind, urlKind } from '@understudy/shared/runtime/config/kinds';
import { loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import type { ControllerHostConfig, Listen } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import { type Command, Option } from 'commander';
import type { PairController } from '../../../install/lb/controllers.ts';
import { connectAs } from '../../client/secure.ts';
import { sourcesFor } from '../../context.ts';

interface OutOptions {
  readonly out?: string;
  readonly force?: true;
}

interface BalancerOptions extends OutOptions {
  readonly controller: readonly string[];
  readonly listen: readonly string[];
}

interface HaproxyCommandOptions extends BalancerOptions {
  readonly ca?: string;
  readonly check: 'http' | 'tcp';
  readonly container?: true;
  readonly stats?: true;
}

interface KeepalivedCommandOptions extends OutOptions {
  readonly vip?: string;
  readonly interface?: string;
  readonly routerId?: string;
  readonly for?: string;
}

/** `install lb haproxy`, `install lb nginx`, `install lb keepalived`. */
export function addInstallLbCommand(install: Command): void {
  const lb = install
    .command('lb')
    .description('the configuration of a load balancer before the pair, to standard output');
  addHaproxy(lb);
  addNginx(lb);
  addKeepalived(lb);
}

function addHaproxy(lb: Command): void {
  balancer(lb, 'haproxy', 'HAProxy: asks the heartbeats who is active; requests wait for the next')
    .addOption(
      new Option('--check <how>', 'http: asks the heartbeats; tcp: only looks whose port is open')
        .choices(['http', 'tcp'])
        .default('http'),
    )
    .option(
      '--ca <file>',
      'over TLS: the authority of the pair, on the host of HAProxy (default: tls.ca of the configuration)',
    )
    .option('--container', 'for a container: names are looked up again and again')
    .option('--stats', 'a page about its state, at 127.0.0.1:8404')
    .action(async (options: HaproxyCommandOptions, command: Command) => {
      const { haproxyConfig } = await import('../../../install/lb/haproxy.ts');
      const { check } = options;
      const [stats, container] = [options.stats === true, options.container === true];
      const facts = await factsFor(command, options);
      requireOneScheme(facts.controllers);
      const ca = options.ca ?? facts.ca;
      await give(haproxyConfig({ ...facts, ca, check, stats, container }), options);
    });
}

function addNginx(lb: Command): void {
  balancer(lb, 'nginx', 'nginx: finds the active by its open port when a user asks').action(
    async (options: BalancerOptions, command: Command) => {
      const { nginxConfig } = await import('../../../install/lb/nginx.ts');
      const facts = await factsFor(command, options);
      requirePlain(facts.controllers);
      await give(nginxConfig(facts), options);
    },
  );
}

function addKeepalived(lb: Command): void {
  withOut(lb.command('keepalived'))
    .description('keepalived: moves an address to the host that is active; a file for each host')
    .option(
      '--vip <address>',
      'the address that moves, like 10.0.0.10/24 (default: vip of the configuration)',
    )
    .option('--interface <name>', 'the network interface that gets it (default: as there)')
    .option('--router-id <number>', '1 to 255, another one for each pair of a network')
    .option('--for <url>', 'the heartbeat URL of a peer, for the file of its host')
    .action(async (options: KeepalivedCommandOptions, command: Command) => {
      const { keepalivedConfig, routerIdOf } = await import('../../../install/lb/keepalived.ts');
      const { parseRouterId } = await import('../../../install/lb/parse-vip.ts');
      const { movedAddresses } = await import('../../../install/lb/moved-addresses.ts');
      const config = loadControllerHostConfig(sourcesFor(command));
      const { routerId } = options;
      const text = keepalivedConfig({
        pair: config.pair,
        ...(await hostsFor(config, options.for)),
        addresses: movedAddresses(config.vip, options),
        routerId: routerId === undefined ? routerIdOf(config.pair) : parseRouterId(routerId),
      });
      if (config.vip.length > 0) {
        say(
          'vip of the configuration: the heartbeats move it themselves, and faster; where keepalived is to do that, take vip out of the configuration of every host',
        );
      }
      await give(text, options);
    });
}

function balancer(lb: Command, name: string, description: string): Command {
  return withOut(lb.command(name))
    .description(description)
    .option(
      '--controller <url>',
      'the controller of a peer, in the order of heartbeat.peers; may be repeated (default: its heartbeat is asked)',
      collect,
      [],
    )
    .option(
      '--listen <address>',
      'where users are taken in; may be repeated (default: the port of controller.url, all addresses)',
      collect,
      [],
    );
}

function withOut(command: Command): Command {
  return command
    .option('--out <file>', 'writes to a file; one that is there is left alone')
    .option('--force', 'overwrites it all the same');
}

async function factsFor(command: Command, options: BalancerOptions) {
  const config = loadControllerHostConfig(sourcesFor(command));
  const given = options.controller.map((text) => parse(urlKind, '--controller', text));
  const listen = options.listen.map((text) => parse(listenKind, '--listen', text));
  const { findControllers } = await import('../../../install/lb/controllers.ts');
  const { defaultListen } = await import('../../../install/lb/address.ts');
  const { paceOf } = await import('../../../install/lb/pace.ts');
  // Peers are asked as members of the pair, unless nobody has to be asked.
  if (given.length === 0) connectAs(config);
  const controllers = await findControllers({ config, given });
  for (const { name, source } of controllers.slice(1)) say(`${name} is known from ${source}`);
  return {
    ca: config.tls === null ? null : resolve(config.tls.ca),
    pair: config.pair,
    controllers,
    listen: listen.length > 0 ? listen : defaultListen(controllers),
    pace: paceOf(config),
  };
}

function requirePlain(controllers: readonly PairController[]): void {
  const secure = controllers.find(({ controller }) => controller.protocol === 'https:');
  if (secure === undefined) return;
  throw new UserError(
    `${secure.controller.origin} is encrypted and can't be looked into; expected http:, or \`haproxy\`, which passes on what it does not understand`,
  );
}

/** In the middle of a change to TLS nobody knows which of both users speak. */
function requireOneScheme(controllers: readonly PairController[]): void {
  const schemes = new Set(controllers.map(({ controller }) => controller.protocol));
  if (schemes.size < 2) return;
  const all = controllers.map(({ controller }) => controller.origin).join(', ');
  throw new UserError(
    `the controllers are ${all}; expected http: for all of them, or https: (--controller gives those of the peers)`,
  );
}

async function hostsFor(config: ControllerHostConfig, peer: string | undefined) {
  const { localOf, addressOf } = await import('../../../install/lb/address.ts');
  const { url, peers, listen } = config.heartbeat;
  const all = [url, ...peers];
  const own = peer === undefined ? url : parse(urlKind, '--for', peer);
  if (!all.includes(own)) {
    throw new UserError(`--for holds "${peer}"; expected one of ${all.join(', ')}`);
  }
  const others = all.filter((each) => each !== own).map((each) => new URL(each));
  const ask = own === url ? localOf(listen) : addressOf(new URL(own));
  return { own: new URL(own), ask, others };
}

async function give(text: string, { out, force }: OutOptions): Promise<void> {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  const { writeOut } = await import('../../../install/lb/write-out.ts');
  writeOut(out, text, force === true);
  say(`${out} was written`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function parse<T extends string | Listen>(kind: Kind<T>, option: string, text: string): T {
  const parsed = kind.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new UserError(`${option} holds "${text}"; expected ${kind.expected}`);
}

function collect(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}
