/** The effective configuration, all durations in milliseconds. See `load.ts` for where values come from. */
import type { Timers } from '../../kernel/timers.ts';

export type { Timers };

export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** An address under which users reach the active node, and the interface that carries it. */
export interface VirtualAddress {
  /** In its shortest form, without prefix. */
  readonly address: string;
  /** The length of its prefix. */
  readonly prefix: number;
  readonly family: 4 | 6;
  readonly interface: string;
}

export interface LogConfig {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'json' | 'text';
}

/** The files of a member of a pair, in PEM. */
export interface TlsConfig {
  /** Its certificate, and after it those that lead to the authority, if there are any between. */
  readonly cert: string;
  readonly key: string;
  /** The authorities whose signatures are accepted. */
  readonly ca: string;
  /** Their lists of certificates that count no more; null: there are none. */
  readonly crl: string | null;
}

/** Those of a controller host. */
export interface NodeTlsConfig extends TlsConfig {
  /** Whether plain HTTP will do as well: for the time in which a pair changes to TLS, or back. */
  readonly plain: 'refuse' | 'accept';
}

export interface HealthConfig {
  /** How often the heartbeat checks its controller. */
  readonly everyMs: number;
  /** Time limit of one check. */
  readonly timeoutMs: number;
  /** So many checks must fail in a row. */
  readonly failures: number;
}

export type CheckConfig =
  | { readonly http: string; readonly timeoutMs: number }
  | { readonly tcp: string; readonly timeoutMs: number }
  | { readonly command: readonly string[]; readonly timeoutMs: number };

export interface ControllerHostConfig {
  readonly pair: string;
  readonly node: string;
  readonly database: string;
  readonly schema: string;
  readonly token: string;
  /** The file with the key by which secrets are encrypted; null: no secrets. */
  readonly keystore: string | null;
  readonly heartbeat: {
    readonly listen: Listen;
    readonly url: string;
    readonly peers: readonly string[];
  };
  readonly controller: {
    readonly listen: Listen;
    readonly url: string;
    readonly standby: 'warm' | 'cold';
    /** Empty: the built-in controller. */
    readonly command: readonly string[];
    readonly check: CheckConfig | null;
    readonly stopTimeoutMs: number;
    readonly health: HealthConfig;
  };
  readonly failover: {
    readonly targetMs: number;
    /** Manual: no node takes the role without an operator's order. */
    readonly mode: 'automatic' | 'manual';
    readonly preferred: boolean;
    /** A preferred node asks for the role once it was ready for so long; null: never. */
    readonly failbackMs: number | null;
    /** So many claims within `windowMs`, and the pair holds still. */
    readonly limit: number;
    readonly windowMs: number;
    /** How long a controller may take to finish what is under way at a switch-over. */
    readonly holdTimeoutMs: number;
  };
  readonly timers: Timers;
  readonly lease: {
    /** Whether a server that lets transactions be prepared is good enough. */
    readonly preparedTransactions: 'refuse' | 'accept';
  };
  /** None: users find the active node in another way. */
  readonly vip: readonly VirtualAddress[];
  readonly hooks: {
    readonly promoted: readonly string[];
    readonly demoted: readonly string[];
    readonly fenced: readonly string[];
  };
  /** Null: plain HTTP. */
  readonly tls: NodeTlsConfig | null;
  readonly agents: {
    /** Sign of life on the order stream. */
    readonly beatEveryMs: number;
    /** Without a connection for so long an agent is lost, and with it its at-most-once attempts. */
    readonly lostAfterMs: number;
  };
  /** So much of the output of an attempt is stored, whatever its job allows and its agent sends. */
  readonly output: { readonly limitBytes: number };
  /** How much history is kept; null: without a limit. */
  readonly retention: {
    /** Of runs that are over, unless their job says something else. */
    readonly runs: { readonly ageMs: number | null; readonly count: number | null };
    readonly eventsMs: number | null;
    /** Of the audit trail. */
    readonly auditMs: number | null;
    /** How often it is looked for what need not be kept. */
    readonly everyMs: number;
  };
  readonly log: LogConfig;
}

export interface AgentConfig {
  readonly pair: string;
  readonly agent: string;
  readonly controllers: readonly string[];
  readonly token: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  readonly data: string;
  /** As whom jobs may run, by name or number, where the agent is root. */
  readonly users: readonly string[];
  readonly worker: { readonly command: readonly string[] };
  readonly retry: { readonly everyMs: number; readonly timeoutMs: number; readonly limit: number };
  readonly onLost: { readonly running: 'finish' | 'kill' };
  /** Null: plain HTTP. */
  readonly tls: TlsConfig | null;
  readonly log: LogConfig;
}
