import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { ControllerHostConfig, Listen } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import { askHeartbeat } from '../../cli/client/heartbeat-status.ts';
import { portHolder } from '../../postgres/port.ts';
import { type Check, type Finding, ok, problem } from '../finding.ts';

const ASK_WITHIN_MS = 2_000;

/** The ports of a controller host: free, or in our own hands. */
export function portsCheck(config: ControllerHostConfig): Check {
  return {
    name: 'ports',
    look: async () => {
      const { listen } = config.heartbeat;
      const answer = await askHeartbeat(urlOf(listen, config.tls !== null), ASK_WITHIN_MS);
      if (answer.kind === 'answered' && answer.status.node === config.node) {
        const text = 'are those of the heartbeat that runs here, and of its controller';
        // Not tried out: the controller may want to open its port in this very moment.
        return [ok('ports', text)];
      }
      return await Promise.all([
        tryOut('heartbeat.listen', listen),
        tryOut('controller.listen', config.controller.listen),
      ]);
    },
  };
}

async function tryOut(key: string, listen: Listen): Promise<Finding> {
  const { host, port } = listen;
  const check = `port ${port}`;
  // Somebody may listen on one address only, where all addresses would still be free.
  if (await answers(listen)) {
    const text = `is in use${portHolder(port)}`;
    return problem(check, text, `end what uses it, or set another ${key}`);
  }
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return ok(check, 'is free');
  } catch (error) {
    return problem(check, messageOf(error), `set another ${key}`);
  } finally {
    server.close();
  }
}

async function answers({ host, port }: Listen): Promise<boolean> {
  const socket = connect({ host: localOf(host), port, signal: AbortSignal.timeout(ASK_WITHIN_MS) });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

function urlOf({ host, port }: Listen, isSecure: boolean): string {
  const address = localOf(host);
  return `${isSecure ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function localOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
