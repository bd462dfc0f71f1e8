import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A link to the store on which answers can get lost while requests arrive. */
export interface LossyProxy {
  readonly port: number;
  /** From now on what the store says is thrown away; what it is asked still arrives. */
  loseAnswers(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Passes connections on to a port of 127.0.0.1, from a free one. */
export async function startLossyProxy(to: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>();
  let losing = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    keep(near);
    keep(far);
    near.pipe(far);
    far.on('data', (bytes) => {
      if (!losing) near.write(bytes);
    });
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    port: address.port,
    loseAnswers: () => {
      losing = true;
    },
    mend: () => {
      losing = false;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
