import type { Claim, Held, Holder } from '../port.ts';
import type { NodeIdentity } from '../registry.ts';
import type { Statement } from './lane.ts';

// The functions are those of 0001_lease_and_fence.sql and 0003_pause_hand_over_revive.sql. Terms and sequence numbers go as decimal text.

export function read(pair: string): Statement {
  return { name: 'read', text: 'select * from lease_read($1)', values: [pair] };
}

export function claim(pair: string, wanted: Claim): Statement {
  return {
    name: 'claim',
    text: 'select * from lease_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
    values: [
      pair,
      wanted.holder.node,
      wanted.holder.incarnation,
      wanted.basis,
      wanted.observed.term.toString(),
      wanted.observed.renewSeq.toString(),
      wanted.observed.timeline,
      wanted.highestTerm.toString(),
      wanted.ttlMs,
      wanted.evidence,
      wanted.evenIfNotExpired ?? false,
      wanted.ordered,
      wanted.limit.claims,
      wanted.limit.windowMs,
    ],
  };
}

export function renew(pair: string, held: Held, evenIfExpired: boolean): Statement {
  return {
    name: 'renew',
    text: 'select * from lease_renew($1, $2, $3, $4)',
    values: [pair, held.term.toString(), held.incarnation, evenIfExpired],
  };
}

export function release(pair: string, held: Held): Statement {
  return {
    name: 'release',
    text: 'select * from lease_release($1, $2, $3)',
    values: [pair, held.term.toString(), held.incarnation],
  };
}

export function handOver(pair: string, held: Held, renewSeq: bigint, to: Holder): Statement {
  const { term, incarnation } = held;
  return {
    name: 'hand over',
    text: 'select * from lease_hand_over($1, $2, $3, $4, $5, $6)',
    values: [pair, term.toString(), incarnation, renewSeq.toString(), to.node, to.incarnation],
  };
}

export function pause(pair: string, forMs: number | null, by: string): Statement {
  return {
    name: 'pause',
    text: 'select * from lease_pause($1, $2, $3)',
    values: [pair, forMs, by],
  };
}

export function storeIdentity(): Statement {
  return { name: 'store identity', text: 'select store_identity() as text', values: [] };
}

export function readNode(pair: string, node: string): Statement {
  return { name: 'read node', text: 'select * from node_read($1, $2)', values: [pair, node] };
}

export function takeNode(
  pair: string,
  self: Holder,
  identity: NodeIdentity,
  observedIncarnation: string | null,
): Statement {
  return {
    name: 'take node',
    text: 'select node_take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as yes',
    values: [
      pair,
      self.node,
      observedIncarnation,
      self.incarnation,
      identity.heartbeatUrl,
      identity.controllerUrl,
      identity.version,
      identity.bootId,
      identity.pid,
      identity.pidStart,
    ],
  };
}

export function probeNode(pair: string, self: Holder): Statement {
  return {
    name: 'probe node',
    text: 'select node_probe($1, $2, $3) as yes',
    values: [pair, self.node, self.incarnation],
  };
}
