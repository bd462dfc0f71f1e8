import { type Clock, systemClock } from '@understudy/shared/runtime/clock';
import { type Connection, connectWritable } from '@understudy/shared/runtime/database';
import type { Log } from '@understudy/shared/runtime/log';
import type { Claim, Held, Holder, LeaseStore } from './port.ts';
import {
  expectOutcome,
  parseLeaseAnswer,
  parseNode,
  parseText,
  parseYes,
} from './postgres/answer.ts';
import { Hints } from './postgres/hints.ts';
import { Lane } from './postgres/lane.ts';
import * as statements from './postgres/statements.ts';
import type { NodeIdentity, NodeRegistry } from './registry.ts';

export interface PostgresLeaseOptions {
  readonly database: string;
  readonly schema: string;
  readonly pair: string;
  readonly holder: Holder;
  readonly identity: NodeIdentity;
  /** R: time limit of a call. */
  readonly callTimeoutMs: number;
  /** Time limit of a claim or a hand-over, which may have to evict writers first. Default 2300. */
  readonly claimTimeoutMs?: number;
  readonly log: Log;
  /** Default: the clock of this host. */
  readonly clock?: Clock;
}

/** The lease store, with the registry of node ids that lies beside it. */
export interface PostgresLease extends LeaseStore {
  readonly registry: NodeRegistry;
}

const DEFAULT_CLAIM_TIMEOUT_MS = 2_300;
const MIN_CONNECT_TIMEOUT_MS = 500;

/**
 * The lease in PostgreSQL, by the functions of `0001_lease_and_fence.sql` and `0003_pause_hand_over_revive.sql`: one
 * round trip each.
 *
 * Two connections, opened here and kept. On one goes what a holder does (claim, renew, release, hand
 * over, break), on the other what everybody does all the time (read, probe, register) and the hints.
 * So a renewal never waits behind a read that hangs, and a claim does not hold up the reading. A
 * node never claims and renews at once. A connection in doubt is dropped, not waited for (`Lane`).
 *
 * A call that was answered `failed` may still be executed by the server, but not for long: the
 * statement is limited there too, and the server notices within half a second that its client is gone.
 */
export function makePostgresLease(options: PostgresLeaseOptions): PostgresLease {
  const { pair, holder, identity, callTimeoutMs, clock = systemClock } = options;
  const claimTimeoutMs = options.claimTimeoutMs ?? DEFAULT_CLAIM_TIMEOUT_MS;
  const log = options.log.with({ part: 'lease' });
  const hints = new Hints({ pair, log });
  const connect = () =>
    connectWritable({
      database: options.database,
      schema: options.schema,
      applicationName: `understudy heartbeat ${holder.node}`,
      // Longer than a call: connecting takes several round trips. Not long, for a dark link may heal.
      connectTimeoutMs: Math.max(2 * callTimeoutMs, MIN_CONNECT_TIMEOUT_MS),
      statementTimeoutMs: Math.max(callTimeoutMs, claimTimeoutMs),
    });
  const connectWithHints = async (): Promise<Connection> => {
    const connection = await connect();
    // Not waited for: the first call goes out behind it on the same connection.
    void hints.listenOn(connection);
    return connection;
  };
  const holding = new Lane({ name: 'holding', connect, log, clock });
  const watching = new Lane({ name: 'watching', connect: connectWithHints, log, clock });

  const release = async (held: Held) => {
    const answer = parseLeaseAnswer(
      await holding.call(statements.release(pair, held), callTimeoutMs),
    );
    if (answer.kind === 'failed') return answer;
    return { kind: expectOutcome(answer, ['released', 'refused']), row: answer.row };
  };

  const registry: NodeRegistry = {
    read: async () => {
      const answer = parseNode(
        await watching.call(statements.readNode(pair, holder.node), callTimeoutMs),
      );
      return answer.kind === 'failed' ? answer : { kind: 'read', node: answer.node };
    },
    take: async (observedIncarnation) => {
      const statement = statements.takeNode(pair, holder, identity, observedIncarnation);
      const answer = parseYes(await watching.call(statement, callTimeoutMs));
      if (answer.kind === 'failed') return answer;
      return { kind: answer.yes ? 'taken' : 'changed' };
    },
  };

  return {
    registry,
    read: async () => {
      const answer = parseLeaseAnswer(await watching.call(statements.read(pair), callTimeoutMs));
      return answer.kind === 'failed' ? answer : { kind: 'read', row: answer.row };
    },
    claim: async (claim: Claim) => {
      const answer = parseLeaseAnswer(
        await holding.call(statements.claim(pair, claim), claimTimeoutMs),
      );
      if (answer.kind === 'failed') return answer;
      const { row } = answer;
      const outcome = expectOutcome(answer, ['granted', 'refused', 'holds-still']);
      if (outcome === 'granted') return { kind: 'granted', row };
      const why = answer.why ?? 'the store gave no reason';
      return { kind: 'refused', row, why, holdsStill: outcome === 'holds-still' };
    },
    renew: async (held, renewal) => {
      const statement = statements.renew(pair, held, renewal?.evenIfExpired ?? false);
      const answer = parseLeaseAnswer(await holding.call(statement, callTimeoutMs));
      if (answer.kind === 'failed') return answer;
      return { kind: expectOutcome(answer, ['granted', 'refused']), row: answer.row };
    },
    release,
    break: release,
    handOver: async (held, renewSeq, to) => {
      const statement = statements.handOver(pair, held, renewSeq, to);
      const answer = parseLeaseAnswer(await holding.call(statement, claimTimeoutMs));
      if (answer.kind === 'failed') return answer;
      return { kind: expectOutcome(answer, ['handed-over', 'refused']), row: answer.row };
    },
    pause: async (forMs) => {
      const statement = statements.pause(pair, forMs, holder.node);
      const answer = parseLeaseAnswer(await watching.call(statement, callTimeoutMs));
      return answer.kind === 'failed' ? answer : { kind: 'read', row: answer.row };
    },
    identity: async () => {
      const answer = parseText(await watching.call(statements.storeIdentity(), callTimeoutMs));
      return answer.kind === 'failed' ? answer : { kind: 'identity', id: answer.text };
    },
    probe: async () => {
      const answer = parseYes(
        await watching.call(statements.probeNode(pair, holder), callTimeoutMs),
      );
      if (answer.kind === 'failed') return answer;
      return { kind: answer.yes ? 'written' : 'replaced' };
    },
    onHint: (listener) => hints.subscribe(listener),
    close: async () => {
      holding.close();
      watching.close();
    },
  };
}
