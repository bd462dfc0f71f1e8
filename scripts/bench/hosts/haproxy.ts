import { execFile } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { spawnTied } from '@understudy/shared/runtime/child';
import type { NetworkHost } from '../../hosts/network-host.ts';
import type { Undoings } from '../../hosts/undoings.ts';
import type { LocalSystem } from '../../local/system.ts';
import type { Target } from '../prober.ts';
import { endGroup } from '../rivals/end-group.ts';
import { until } from '../rivals/rival.ts';
import { CONTROLLER_PORT, understudyCommand } from './system.ts';

/** HAProxy before the pair, on a host of its own, with the configuration that `understudy install lb haproxy` writes. */
export async function startHaproxy(
  host: NetworkHost,
  { layout, hosts }: LocalSystem,
  undoings: Undoings,
): Promise<Target> {
  const [first] = hosts;
  if (first === undefined) throw new Error('the system has no hosts');
  const target = { host: host.ip, port: CONTROLLER_PORT };
  const listen = ['--listen', `${target.host}:${target.port}`];
  const [program = '', ...args] = understudyCommand('install', 'lb', 'haproxy', ...listen);
  const { stdout } = await promisify(execFile)(program, [...args, '--config', first.file]);
  const file = join(layout.folder, 'haproxy.cfg');
  // As somebody else it would not be tied to our life any more.
  writeFileSync(file, stdout.replaceAll(/^ {4}(?:user|group) haproxy$/gm, ''));
  const log = openSync(join(layout.logs, 'haproxy.log'), 'a');
  const command = [...host.prefix, 'haproxy', '-db', '-f', file];
  const child = spawnTied(command, { stdio: ['ignore', log, log] });
  closeSync(log);
  undoings.teardown(() => endGroup(child));
  await until('HAProxy listens', async () => ((await isOpen(target)) ? target : null));
  return target;
}

function isOpen(target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
