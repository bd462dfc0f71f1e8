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
  readonly samplesFile: string;
  readonly postgresData: string;
  readonly postgresPort: number;
  readonly frontPort: number;
  readonly frontUrl: string;
  readonly hosts: readonly HostLayout[];
  readonly workers: readonly WorkerLayout[];
}

/** With the default base 7300: front 7300, controllers 7301 and 7302, heartbeats 7401 and 7402, PostgreSQL 7432. */
export function layOut(folder: string, portBase: number, agents: number): Layout {
  const logs = join(folder, 'logs');
  return {
    folder,
    logs,
    tokenFile: join(folder, 'token'),
    samplesFile: join(folder, 'samples-applied'),
    postgresData: join(folder, 'postgres'),
    postgresPort: portBase + 132,
    frontPort: portBase,
    frontUrl: urlOf(portBase),
    hosts: ['a', 'b'].map((node, index) => {
      const controllerPort = portBase + 1 + index;
      const heartbeatPort = portBase + 101 + index;
      return {
        node,
        file: join(folder, `${node}.yaml`),
        log: join(logs, `${node}.log`),
        heartbeatPort,
        controllerPort,
        heartbeatUrl: urlOf(heartbeatPort),
        controllerUrl: urlOf(controllerPort),
      };
    }),
    workers: Array.from({ length: agents }, (_, index) => {
      const agent = `w${index + 1}`;
      const data = join(folder, 'agents', agent);
      return { agent, file: join(folder, `${agent}.yaml`), log: join(logs, `${agent}.log`), data };
    }),
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
