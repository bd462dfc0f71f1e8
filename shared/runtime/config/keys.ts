import {
  ageOrNeverKind,
  anyKind,
  checkKind,
  commandKind,
  databaseKind,
  durationKind,
  durationOrNeverKind,
  fileKind,
  type Kind,
  labelsKind,
  listenKind,
  nameKind,
  pathKind,
  schemaKind,
  secretKind,
  sizeKind,
  urlKind,
  urlListKind,
  userListKind,
  virtualAddressesKind,
  wholeKind,
  wordKind,
  yesNoKind,
} from './kinds.ts';
import type { Secrecy } from './mask.ts';

/** One key of a configuration file. */
export interface Key<T> {
  readonly kind: Kind<T>;
  /** `required`: there is no default. `optional`: it may be absent. */
  readonly presence: 'required' | 'optional' | 'default';
  /** As it would stand in the file. */
  readonly fallback: unknown;
  readonly secrecy: Secrecy;
  /** The function is not built yet: any value but the default is refused. */
  readonly unavailable: boolean;
}

export type Keys = Readonly<Record<string, Key<unknown>>>;
export type ValueOf<K> = K extends Key<infer T> ? T : never;

/** The keys of a controller host's file. */
export const controllerHostKeys = {
  pair: required(nameKind),
  node: required(nameKind),
  database: required(databaseKind, 'database-url'),
  schema: withDefault(schemaKind, 'understudy'),
  token: required(secretKind, 'secret'),
  keystore: optional(fileKind),
  'heartbeat.listen': withDefault(listenKind, '0.0.0.0:7400'),
  'heartbeat.url': required(urlKind),
  'heartbeat.peers': required(urlListKind),
  'controller.listen': withDefault(listenKind, '0.0.0.0:7300'),
  'controller.url': required(urlKind),
  'controller.standby': withDefault(wordKind('warm', 'cold'), 'warm'),
  'controller.command': withDefault(commandKind, []),
  'controller.check': optional(checkKind),
  'controller.stopTimeout': withDefault(durationKind, '5s'),
  'controller.health.every': withDefault(durationKind, '400ms'),
  'controller.health.timeout': withDefault(durationKind, '400ms'),
  'controller.health.failures': withDefault(wholeKind(1, 1_000), 3),
  'failover.target': withDefault(durationKind, '2s'),
  'failover.activateWithin': optional(durationKind),
  'failover.killWithin': optional(durationKind),
  'failover.mode': withDefault(wordKind('automatic', 'manual'), 'automatic'),
  'failover.preferred': withDefault(yesNoKind, false),
  'failover.failback': withDefault(durationOrNeverKind, 'never'),
  'failover.limit': withDefault(wholeKind(1, 1_000_000), 30),
  'failover.window': withDefault(durationKind, '5m'),
  'failover.holdTimeout': withDefault(durationKind, '400ms'),
  'lease.store': unavailable('postgres'),
  'lease.etcd': unavailable([]),
  'lease.preparedTransactions': withDefault(wordKind('refuse', 'accept'), 'refuse'),
  'lease.ttl': optional(durationKind),
  'lease.renewEvery': optional(durationKind),
  'lease.callTimeout': optional(durationKind),
  'lease.margin': optional(durationKind),
  'lease.pollEvery': optional(durationKind),
  'agents.beatEvery': withDefault(durationKind, '500ms'),
  'agents.lostAfter': withDefault(durationKind, '60s'),
  'output.limit': withDefault(sizeKind, '64mb'),
  'retention.age': withDefault(ageOrNeverKind, '30d'),
  'retention.count': optional(wholeKind(1, 1_000_000_000)),
  'retention.events': withDefault(ageOrNeverKind, '90d'),
  'retention.audit': withDefault(ageOrNeverKind, '365d'),
  'retention.every': withDefault(durationKind, '10m'),
  checks: unavailable([]),
  vip: withDefault(virtualAddressesKind, []),
  'tls.cert': optional(fileKind),
  'tls.key': optional(fileKind),
  'tls.ca': optional(fileKind),
  'tls.crl': optional(fileKind),
  'tls.plain': withDefault(wordKind('refuse', 'accept'), 'refuse'),
  'hooks.promoted': withDefault(commandKind, []),
  'hooks.demoted': withDefault(commandKind, []),
  'hooks.fenced': withDefault(commandKind, []),
  'log.level': withDefault(wordKind('error', 'warn', 'info', 'debug'), 'info'),
  'log.format': withDefault(wordKind('json', 'text'), 'json'),
} as const;

/** The keys of a worker host's file. */
export const agentKeys = {
  pair: required(nameKind),
  agent: required(nameKind),
  controllers: required(urlListKind),
  token: required(secretKind, 'secret'),
  labels: withDefault(labelsKind, {}),
  slots: withDefault(wholeKind(0, 10_000), 8),
  data: withDefault(pathKind, '/var/lib/understudy-agent'),
  users: withDefault(userListKind, []),
  'worker.command': withDefault(commandKind, []),
  'retry.every': withDefault(durationKind, '500ms'),
  'retry.timeout': withDefault(durationKind, '1s'),
  'retry.limit': withDefault(wholeKind(1, 1_000_000), 60),
  'onLost.running': withDefault(wordKind('finish', 'kill'), 'finish'),
  'tls.cert': optional(fileKind),
  'tls.key': optional(fileKind),
  'tls.ca': optional(fileKind),
  'tls.crl': optional(fileKind),
  'log.level': withDefault(wordKind('error', 'warn', 'info', 'debug'), 'info'),
  'log.format': withDefault(wordKind('json', 'text'), 'json'),
} as const;

function required<T>(kind: Kind<T>, secrecy: Secrecy = 'open'): Key<T> {
  return { kind, presence: 'required', fallback: undefined, secrecy, unavailable: false };
}

function optional<T>(kind: Kind<T>): Key<T | null> {
  return { kind, presence: 'optional', fallback: null, secrecy: 'open', unavailable: false };
}

function withDefault<T>(kind: Kind<T>, fallback: unknown): Key<T> {
  return { kind, presence: 'default', fallback, secrecy: 'open', unavailable: false };
}

function unavailable(fallback: unknown): Key<unknown> {
  return { kind: anyKind, presence: 'default', fallback, secrecy: 'open', unavailable: true };
}
