import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A link between two programs that can be cut and mended. */
export interface TcpProxy {
  readonly port: number;
  /** Bytes stop in both directions and new connections get no answer, as behind a firewall's DROP. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Passes connections on from one port of 127.0.0.1 (0: any) to another. */
export async function startTcpProxy(port: number, to: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    keep(near);
    if (isCut) {
      near.pause();
      return;
    }
    const far = connect(to, '127.0.0.1');
    keep(far);
    near.pipe(far);
    far.pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    mend: () => {
      isCut = false;
      // What hung while the link was cut is of no use to anyone.
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
