import { join } from 'node:path';

/** One controller host of the one-machine system. */
export interface HostLayout {
  readonly node: string;
  readonly file: string;
  readonly log: string;
  readonly heartbeatPort: number;
  readonly controllerPort: number;
  readonly heartbeatUrl: string;
  readonly controllerUrl: string;
}

export interface WorkerLayout {
  readonly agent: string;
  readonly file: string;
  readonly log: string;
  readonly data: string;
}

/** Where everything of a one-machine system is: files and ports. */
export interface Layout {
  readonly folder: string;
  readonly logs: string;
  readonly tokenFile: string;
  readonly keystoreFile: string;
  readonly pairFile: string;
  readonly samplesFile: string;
  readonly postgresData: string;
  readonly postgresPort: number;
  readonly frontPort: number;
  readonly frontUrl: string;
  readonly hosts: readonly HostLayout[];
  readonly workers: readonly WorkerLayout[];
}

/** Without a base: the ports that the documents name. With one: the six ports from there on. */
export function layOut(folder: string, portBase: number | null, agents: number): Layout {
  const logs = join(folder, 'logs');
  const ports = portBase === null ? documentedPorts : portsFrom(portBase);
  return {
    folder,
    logs,
    tokenFile: join(folder, 'token'),
    keystoreFile: join(folder, 'keystore'),
    pairFile: join(folder, 'pair'),
    samplesFile: join(folder, 'samples-applied'),
    postgresData: join(folder, 'postgres'),
    postgresPort: ports.postgres,
    frontPort: ports.front,
    frontUrl: urlOf(ports.front),
    hosts: ports.hosts.map(({ node, controllerPort, heartbeatPort }) => ({
      node,
      file: join(folder, `${node}.yaml`),
      log: join(logs, `${node}.log`),
      heartbeatPort,
      controllerPort,
      heartbeatUrl: urlOf(heartbeatPort),
      controllerUrl: urlOf(controllerPort),
    })),
    workers: Array.from({ length: agents }, (_, index) => {
      const agent = `w${index + 1}`;
      const data = join(folder, 'agents', agent);
      return { agent, file: join(folder, `${agent}.yaml`), log: join(logs, `${agent}.log`), data };
    }),
  };
}

interface Ports {
  readonly front: number;
  readonly hosts: readonly {
    readonly node: string;
    readonly controllerPort: number;
    readonly heartbeatPort: number;
  }[];
  readonly postgres: number;
}

const documentedPorts: Ports = {
  front: 7300,
  hosts: [
    { node: 'a', controllerPort: 7301, heartbeatPort: 7401 },
    { node: 'b', controllerPort: 7302, heartbeatPort: 7402 },
  ],
  postgres: 7432,
};

function portsFrom(base: number): Ports {
  return {
    front: base,
    hosts: [
      { node: 'a', controllerPort: base + 1, heartbeatPort: base + 3 },
      { node: 'b', controllerPort: base + 2, heartbeatPort: base + 4 },
    ],
    postgres: base + 5,
  };
}

/** What listens where, for the check before a start and its messages. */
export function portsOf(layout: Layout): { readonly port: number; readonly use: string }[] {
  return [
    { port: layout.frontPort, use: 'the address for users' },
    ...layout.hosts.flatMap(({ node, heartbeatPort, controllerPort }) => [
      { port: heartbeatPort, use: `the heartbeat of ${node}` },
      { port: controllerPort, use: `the controller of ${node}` },
    ]),
    { port: layout.postgresPort, use: 'PostgreSQL' },
  ];
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
