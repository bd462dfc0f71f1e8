import { type AgentFacts, type ControllerFacts, places } from './facts.ts';

/** A configuration that is complete but for what only the operator knows. */
export function controllerConfiguration(facts: ControllerFacts): string {
  const { address, peers, pair, nodeId } = facts;
  const peerUrls = peers.map((peer) => quoted(`http://${hostOf(peer)}:7400`)).join(', ');
  return `# A controller host of Understudy. Every key: README.md, "Configuration"; \`understudy config check\` checks it.
# \`database\` and \`token\` come from ${places.controller.environment}, which only root reads.

pair: ${quoted(pair)} # the same on all hosts of the pair
node: ${quoted(nodeId)} # another one on each controller host
heartbeat:
  url: ${quoted(`http://${hostOf(address)}:7400`)} # how the other controller hosts reach this one
  peers: [${peerUrls}]${peers.length > 0 ? ' # how this one reaches the others' : ' # required: the heartbeat.url of the others'}
controller:
  url: ${quoted(`http://${hostOf(address)}:7300`)} # how agents and users reach the controller of this host

# The key by which secrets are encrypted. The first \`understudy create\` makes it; copy it to the other hosts.
keystore: /var/lib/understudy/keystore

# failover:
#   target: 2s # the longest time without an active after a host is lost; gives all timers
#   mode: automatic # manual: an operator's order is needed
# log: { level: info, format: json }
`;
}

export function agentConfiguration({ pair, agentId, controllers }: AgentFacts): string {
  return `# A worker host of Understudy. Every key: README.md, "Configuration"; \`understudy config check\` checks it.
# \`token\` comes from ${places.agent.environment}, which only root reads.

pair: ${quoted(pair)} # that of the controllers
agent: ${quoted(agentId)} # another one on each worker host
controllers: [${controllers.map(quoted).join(', ')}]${controllers.length > 0 ? ' # all of them, in any order' : ' # required: the controller.url of each controller host'}
data: /var/lib/${places.agent.state}
slots: 8 # attempts at a time
# labels: { zone: eu } # what jobs can select by
# users: [] # as whom jobs may run; the agent must be root for that (install agent --user root)
# log: { level: info, format: json }
`;
}

/** What must not be read by everyone, in the form that both systemd and a shell take. */
export function controllerEnvironment({ token }: ControllerFacts): string {
  return `# Secrets of the service, read by systemd. Copy the token to the other hosts of the pair.
# In a shell: set -a; . ${places.controller.environment}; set +a
UNDERSTUDY_TOKEN='${token}'
# The PostgreSQL that all controller hosts reach; several hosts are separated by commas.
UNDERSTUDY_DATABASE='postgres://understudy:PASSWORD@DATABASE-HOST:5432/understudy'
`;
}

export function agentEnvironment({ agentId }: AgentFacts): string {
  return `# Secrets of the service, read by systemd. A token for this agent alone is made on a controller host:
# understudy token create ${agentId} --role agent --agent ${agentId}
UNDERSTUDY_TOKEN=''
`;
}

/** An address of IPv6 stands in brackets in a URL. */
function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** A text that YAML takes for one, whatever it looks like. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
