import { formatDurationMs } from '../../kernel/duration.ts';
import { deriveTimers, smallestTargetMs, type TimerOverrides } from '../../kernel/timers.ts';
import { agentKeys, controllerHostKeys } from './keys.ts';
import { configError, type Problem } from './problems.ts';
import { type Resolved, resolveKeys } from './resolve.ts';
import type { ConfigSources } from './sources.ts';
import { nodeTlsConfigOf, schemeProblems, tlsConfigOf, tlsProblems } from './tls.ts';
import type { AgentConfig, ControllerHostConfig } from './types.ts';
import { addressConflicts } from './virtual-address.ts';

/**
 * Loads the configuration of a controller host. Throws one `UserError` (exit code 78) that names every
 * bad key, what it holds, what is expected and where it came from.
 */
export function loadControllerHostConfig(sources: ConfigSources): ControllerHostConfig {
  const resolved = resolveKeys(sources, controllerHostKeys);
  checkControllerHost(resolved);
  if (resolved.problems.length > 0) throw configError(resolved.problems, sources.file);
  return controllerHostConfig(resolved.values);
}

/** Loads the configuration of a worker host; throws like `loadControllerHostConfig`. */
export function loadAgentConfig(sources: ConfigSources): AgentConfig {
  const { values, problems } = resolveKeys(sources, agentKeys);
  if (problems.length === 0) {
    const controllers = values.controllers.map((url) => ['controllers', url] as const);
    problems.push(...tlsProblems(values), ...schemeProblems(values, controllers));
  }
  if (problems.length > 0) throw configError(problems, sources.file);
  return {
    pair: values.pair,
    agent: values.agent,
    controllers: values.controllers,
    token: values.token,
    labels: values.labels,
    slots: values.slots,
    data: values.data,
    users: values.users,
    worker: { command: values['worker.command'] },
    retry: {
      everyMs: values['retry.every'],
      timeoutMs: values['retry.timeout'],
      limit: values['retry.limit'],
    },
    onLost: { running: values['onLost.running'] },
    tls: tlsConfigOf(values),
    log: { level: values['log.level'], format: values['log.format'] },
  };
}

type ControllerHostValues = Resolved<typeof controllerHostKeys>['values'];

function controllerHostConfig(values: ControllerHostValues): ControllerHostConfig {
  return {
    pair: values.pair,
    node: values.node,
    database: values.database,
    schema: values.schema,
    token: values.token,
    keystore: values.keystore,
    heartbeat: {
      listen: values['heartbeat.listen'],
      url: values['heartbeat.url'],
      peers: values['heartbeat.peers'],
    },
    controller: {
      listen: values['controller.listen'],
      url: values['controller.url'],
      standby: values['controller.standby'],
      command: values['controller.command'],
      check: values['controller.check'],
      stopTimeoutMs: values['controller.stopTimeout'],
      health: {
        everyMs: values['controller.health.every'],
        timeoutMs: values['controller.health.timeout'],
        failures: values['controller.health.failures'],
      },
    },
    failover: {
      targetMs: values['failover.target'],
      mode: values['failover.mode'],
      preferred: values['failover.preferred'],
      failbackMs: values['failover.failback'],
      limit: values['failover.limit'],
      windowMs: values['failover.window'],
      holdTimeoutMs: values['failover.holdTimeout'],
    },
    timers: deriveTimers(values['failover.target'], timerOverrides(values)).timers,
    lease: { preparedTransactions: values['lease.preparedTransactions'] },
    vip: values.vip,
    hooks: {
      promoted: values['hooks.promoted'],
      demoted: values['hooks.demoted'],
      fenced: values['hooks.fenced'],
    },
    tls: nodeTlsConfigOf(values),
    agents: { beatEveryMs: values['agents.beatEvery'], lostAfterMs: values['agents.lostAfter'] },
    output: { limitBytes: values['output.limit'] },
    retention: {
      runs: { ageMs: values['retention.age'], count: values['retention.count'] },
      eventsMs: values['retention.events'],
      auditMs: values['retention.audit'],
      everyMs: values['retention.every'],
    },
    log: { level: values['log.level'], format: values['log.format'] },
  };
}

/** The rules between several values, each checked when the values that it needs are good. */
function checkControllerHost({ values, problems }: Resolved<typeof controllerHostKeys>): void {
  const bad = new Set(problems.map((problem) => problem.key));
  const good = (...names: (keyof ControllerHostValues)[]) => names.every((name) => !bad.has(name));
  const add = (key: keyof ControllerHostValues, text: string) =>
    problems.push({ key, text, source: null });

  if (good('heartbeat.url', 'heartbeat.peers')) {
    const own = values['heartbeat.url'];
    if (values['heartbeat.peers'].includes(own)) {
      add(
        'heartbeat.peers',
        `holds ${own}, which is this node's own heartbeat.url; expected the other nodes'`,
      );
    }
  }
  if (
    good('heartbeat.url', 'controller.url') &&
    values['heartbeat.url'] === values['controller.url']
  ) {
    add(
      'controller.url',
      `holds ${values['controller.url']}, which is heartbeat.url too; expected another port`,
    );
  }
  if (good('controller.command', 'controller.check')) {
    if (values['controller.check'] !== null && values['controller.command'].length === 0) {
      add(
        'controller.check',
        'is set, but controller.command is not: the built-in controller is checked by itself',
      );
    }
  }
  if (good('failover.preferred', 'failover.failback')) {
    if (values['failover.failback'] !== null && !values['failover.preferred']) {
      add(
        'failover.failback',
        'is set, but failover.preferred is not: only a preferred node fails back',
      );
    }
  }
  if (good('agents.beatEvery', 'agents.lostAfter')) {
    const [beat, lost] = [values['agents.beatEvery'], values['agents.lostAfter']];
    if (lost < 3 * beat) {
      add(
        'agents.lostAfter',
        `holds ${formatDurationMs(lost)}; expected 3 times agents.beatEvery (${formatDurationMs(beat)}) or more`,
      );
    }
  }
  if (good('tls.cert', 'tls.key', 'tls.ca', 'tls.plain')) problems.push(...tlsProblems(values));
  if (good('heartbeat.url', 'heartbeat.peers', 'controller.url', 'controller.command')) {
    // What a wrapped program speaks at its own port is its own affair.
    const isWrapped = values['controller.command'].length > 0;
    const urls = [
      ['heartbeat.url', values['heartbeat.url']] as const,
      ...values['heartbeat.peers'].map((url) => ['heartbeat.peers', url] as const),
      ...(isWrapped ? [] : [['controller.url', values['controller.url']] as const]),
    ];
    problems.push(...schemeProblems(values, urls));
  }
  if (
    good(
      'vip',
      'heartbeat.url',
      'heartbeat.peers',
      'controller.url',
      'controller.listen',
      'controller.command',
    )
  ) {
    problems.push(...vipProblems(values));
  }
  if (good('failover.target', ...timerKeys)) problems.push(...timerProblems(values));
}

function vipProblems(values: ControllerHostValues): Problem[] {
  const isWrapped = values['controller.command'].length > 0;
  const urls = [
    ['heartbeat.url', values['heartbeat.url']],
    ['controller.url', values['controller.url']],
    ...values['heartbeat.peers'].map((url) => ['heartbeat.peers', url] as const),
  ] as const;
  const listen = isWrapped ? null : values['controller.listen'];
  return addressConflicts(values.vip, { urls, listen }).map(([key, text]) => ({
    ...{ key, text },
    source: null,
  }));
}

const timerKeys = [
  'lease.ttl',
  'lease.renewEvery',
  'lease.callTimeout',
  'lease.margin',
  'lease.pollEvery',
  'failover.activateWithin',
  'failover.killWithin',
] as const;

function timerOverrides(values: ControllerHostValues): TimerOverrides {
  return {
    ttlMs: values['lease.ttl'] ?? undefined,
    renewEveryMs: values['lease.renewEvery'] ?? undefined,
    callTimeoutMs: values['lease.callTimeout'] ?? undefined,
    marginMs: values['lease.margin'] ?? undefined,
    pollEveryMs: values['lease.pollEvery'] ?? undefined,
    activateWithinMs: values['failover.activateWithin'] ?? undefined,
    killWithinMs: values['failover.killWithin'] ?? undefined,
  };
}

function timerProblems(values: ControllerHostValues): Problem[] {
  const target = values['failover.target'];
  const result = deriveTimers(target, timerOverrides(values));
  if (result.kind === 'safe') return [];
  const derivedAlone = timerKeys.every((key) => values[key] === null);
  if (!derivedAlone) {
    return result.violations.map((text) => ({ key: 'timers are not safe:', text, source: null }));
  }
  const smallest = formatDurationMs(smallestTargetMs());
  const text = `holds ${formatDurationMs(target)}, which is too small; the smallest possible one is ${smallest}: ${result.violations.join('; ')}`;
  return [{ key: 'failover.target', text, source: null }];
}
