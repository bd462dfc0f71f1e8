import type { Timers } from '@understudy/shared/runtime/config/types';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What a database says of itself. */
export interface DatabaseFacts {
  readonly server: string;
  /** Like 180001. */
  readonly version: number;
  readonly connectionsLeft: number;
  readonly fsync: boolean;
  readonly fullPageWrites: boolean;
  readonly synchronousCommit: string;
  readonly synchronousStandbys: string;
  /** Whether the URL names several servers. */
  readonly isReplicated: boolean;
  /** One call and its answer, the median of some. */
  readonly roundTripMs: number;
  /** Its clock minus that of this host. */
  readonly clockOffsetMs: number;
  /** Tables and functions of the schema that this role may not use. */
  readonly forbidden: readonly string[];
}

/** `client_connection_check_interval` is from there on. */
const OLDEST = 140_000;
/** Two nodes, with their pools, and a command or two. */
const CONNECTIONS_WANTED = 40;
const CLOCK_TOLERANCE_MS = 1_000;
const MOST_NAMES = 5;

/** What is good and what is not about a database for this pair. */
export function judgeDatabase(facts: DatabaseFacts, timers: Timers): readonly Finding[] {
  return [
    judgeVersion(facts),
    judgeRights(facts),
    judgeRoundTrip(facts, timers),
    judgeClock(facts),
    judgeConnections(facts),
    ...judgeDurability(facts),
  ];
}

function judgeVersion({ server, version }: DatabaseFacts): Finding {
  const text = `PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000} at ${server}, writable`;
  return version >= OLDEST
    ? ok('database', text)
    : problem('database', text, `use PostgreSQL ${OLDEST / 10_000} or later`);
}

function judgeRights({ forbidden }: DatabaseFacts): Finding {
  const check = 'database rights';
  if (forbidden.length === 0) return ok(check, 'the role may use all tables and functions');
  const named = forbidden.slice(0, MOST_NAMES).join(', ');
  const more = forbidden.length > MOST_NAMES ? ` and ${forbidden.length - MOST_NAMES} more` : '';
  const advice = 'let the role that ran `understudy create` grant them, or connect as that role';
  return problem(check, `the role may not use ${named}${more}`, advice);
}

function judgeRoundTrip({ roundTripMs }: DatabaseFacts, { callTimeoutMs }: Timers): Finding {
  const check = 'database distance';
  const text = `a call takes ${roundTripMs.toFixed(1)} ms, its time limit (R) is ${callTimeoutMs} ms`;
  const advice = 'set a larger failover.target, or bring the database nearer';
  if (roundTripMs > callTimeoutMs / 2) return problem(check, text, advice);
  return roundTripMs > callTimeoutMs / 5 ? warning(check, text, advice) : ok(check, text);
}

function judgeClock({ clockOffsetMs }: DatabaseFacts): Finding {
  const text = `differs by ${Math.round(Math.abs(clockOffsetMs))} ms from that of this host`;
  if (Math.abs(clockOffsetMs) <= CLOCK_TOLERANCE_MS) return ok('database clock', text);
  const advice = 'the lease does not mind, schedules and events do: synchronise both by NTP';
  return warning('database clock', text, advice);
}

function judgeConnections({ connectionsLeft }: DatabaseFacts): Finding {
  const text = `${connectionsLeft} are left`;
  if (connectionsLeft >= CONNECTIONS_WANTED) return ok('database connections', text);
  const advice = `raise max_connections; a pair wants about ${CONNECTIONS_WANTED}`;
  return warning('database connections', text, advice);
}

function judgeDurability(facts: DatabaseFacts): Finding[] {
  const check = 'database durability';
  const found: Finding[] = [];
  const { synchronousCommit, isReplicated, synchronousStandbys } = facts;
  if (!facts.fsync) {
    found.push(problem(check, 'fsync is off: a crash may destroy everything', 'set fsync = on'));
  }
  if (!facts.fullPageWrites) {
    const advice = 'set full_page_writes = on, unless the file system writes whole pages';
    found.push(warning(check, 'full_page_writes is off', advice));
  }
  if (synchronousCommit === 'off') {
    const text = 'synchronous_commit is off: a crash loses what was answered a moment before';
    found.push(warning(check, text, 'set synchronous_commit = on'));
  }
  if (isReplicated && synchronousStandbys === '') {
    const text = 'no replica is waited for: its promotion may lose what was answered';
    found.push(warning(check, text, 'set synchronous_standby_names on the server'));
  }
  return found.length > 0 ? found : [ok(check, 'what is committed is on disk')];
}
