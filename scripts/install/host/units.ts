import { type AgentFacts, type ControllerFacts, type HostFacts, places } from './facts.ts';

/** The unit of a controller host: `understudy heartbeat`, which runs the controller. */
export function controllerUnit(facts: ControllerFacts): string {
  const { service: _, configuration, environment, state } = places.controller;
  const capabilities = facts.hasVip ? 'CAP_NET_ADMIN CAP_NET_RAW' : '';
  const families = facts.hasVip ? 'AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET' : undefined;
  return `# Written by \`understudy install controller\`. Changes of your own belong in a drop-in:
# systemctl edit understudy-controller
[Unit]
Description=Understudy controller host (heartbeat and controller)
Wants=network-online.target
After=network-online.target time-sync.target
# It is started again however often it ends: the pair counts its fail-overs itself.
StartLimitIntervalSec=0

[Service]
Type=notify
# The messages come from systemd-notify, which the heartbeat starts.
NotifyAccess=all
ExecStart=${command(facts)} heartbeat --config ${configuration}
EnvironmentFile=${environment}
User=${facts.account}
StateDirectory=${state}
StateDirectoryMode=0700

Restart=always
RestartSec=500ms
# 78: the configuration or the surroundings are wrong, and a restart does not help.
RestartPreventExitStatus=78
# Fed while the loop turns and the lease is looked at; a heartbeat that hangs is killed with its controller.
WatchdogSec=20s
WatchdogSignal=SIGKILL
TimeoutStartSec=60s

# A stop hands the role over: only the heartbeat is asked, and whatever it leaves behind is killed.
KillMode=mixed
TimeoutStopSec=40s
${facts.hasVip ? `# However the heartbeat ended: no virtual address stays behind.\nExecStopPost=-${command(facts)} address scrub --config ${configuration}\n` : ''}
# When memory runs out others go first, and the end of one process is not that of the service.
OOMScoreAdjust=-900
OOMPolicy=continue
# On a busy host this service goes before others, and in it the heartbeat and an active controller go first: they may
# set their own priority down to this.
CPUWeight=1000
LimitNICE=-10
LimitNOFILE=65536

${hardening(facts, { capabilities, families })}
ProtectControlGroups=yes
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

/** The unit of a worker host: `understudy agent`, which runs the worker. What jobs may do, they may do by this unit. */
export function agentUnit(facts: AgentFacts): string {
  const { configuration, environment, state } = places.agent;
  return `# Written by \`understudy install agent\`. Changes of your own belong in a drop-in:
# systemctl edit understudy-agent
[Unit]
Description=Understudy agent (worker host)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
# Not notify: jobs run in this unit too, and any of them could speak to systemd in the agent's name.
Type=exec
ExecStart=${command(facts)} agent --config ${configuration}
EnvironmentFile=${environment}
User=${facts.account}
StateDirectory=${state}
StateDirectoryMode=0700

# 69: it gave up on its controllers, and looks for them anew.
Restart=always
RestartSec=1s
RestartPreventExitStatus=78

# A stop asks the agent alone: it gives each attempt the grace of its job, and reports how it ended. Attempts
# never outlive their agent; what they had to tell is in its data folder and is told by the next one.
KillMode=mixed
TimeoutStopSec=5min

# The agent makes a cgroup below its own, so that nothing of an attempt escapes its end.
Delegate=yes
# A job that runs out of memory must not take the others with it.
OOMPolicy=continue
LimitNOFILE=65536

# Jobs inherit all of this. Where they need more (sudo, files in /usr or /etc), loosen it in a drop-in.
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectClock=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
`;
}

function command({ node, program }: HostFacts): string {
  return [node, program].map(quoted).join(' ');
}

/** A path as a word of a unit's command line. */
function quoted(path: string): string {
  const text = path.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\;]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text;
}

interface Rights {
  /** Separated by spaces; empty: none. */
  readonly capabilities: string;
  readonly families: string | undefined;
}

function hardening(facts: HostFacts, { capabilities, families }: Rights): string {
  const isInHome = [facts.node, facts.program].some((path) => /^\/(?:home|root)\//.test(path));
  return `${capabilities === '' ? '' : `# To set the virtual address, and to tell the network of it.\nAmbientCapabilities=${capabilities}\n`}CapabilityBoundingSet=${capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=${isInHome ? 'read-only' : 'yes'}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=${families ?? 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'}
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes`;
}
