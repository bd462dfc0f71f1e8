/** What the files of a host are made from. */
export interface HostFacts {
  /** As whom the service runs. */
  readonly account: string;
  /** Whether that account is made by the installation. */
  readonly makesAccount: boolean;
  /** Absolute paths of Node and of the command's main file, as a unit starts them. */
  readonly node: string;
  readonly program: string;
}

export interface ControllerFacts extends HostFacts {
  readonly role: 'controller';
  readonly pair: string;
  readonly nodeId: string;
  /** How others reach this host, and the other controller hosts: names or addresses. */
  readonly address: string;
  readonly peers: readonly string[];
  /** Whether this host may hold a virtual address, for which it needs rights on network interfaces. */
  readonly hasVip: boolean;
  /** A fresh one, for the first host of a pair. */
  readonly token: string;
}

export interface AgentFacts extends HostFacts {
  readonly role: 'agent';
  readonly pair: string;
  readonly agentId: string;
  readonly controllers: readonly string[];
}

export type InstallFacts = ControllerFacts | AgentFacts;
export type Role = InstallFacts['role'];

/** Where everything of one role lies, from the root of its host on. */
export interface Places {
  readonly service: string;
  readonly configuration: string;
  readonly environment: string;
  readonly unit: string;
  readonly account: string;
  /** Below /var/lib; made by systemd when the service starts. */
  readonly state: string;
}

export const CONFIGURATION_FOLDER = '/etc/understudy';

/** The names are fixed: documents and other tools cite them. */
export const places: Readonly<Record<Role, Places>> = {
  controller: {
    service: 'understudy-controller.service',
    configuration: `${CONFIGURATION_FOLDER}/understudy.yaml`,
    environment: `${CONFIGURATION_FOLDER}/understudy.env`,
    unit: '/etc/systemd/system/understudy-controller.service',
    account: '/etc/sysusers.d/understudy-controller.conf',
    state: 'understudy',
  },
  agent: {
    service: 'understudy-agent.service',
    configuration: `${CONFIGURATION_FOLDER}/agent.yaml`,
    environment: `${CONFIGURATION_FOLDER}/agent.env`,
    unit: '/etc/systemd/system/understudy-agent.service',
    account: '/etc/sysusers.d/understudy-agent.conf',
    state: 'understudy-agent',
  },
};
