import type { Claim, LeaseRow, LeaseStore } from '@understudy/heartbeat/lease/port';

/** A node's access to the lease, and which life of it this is. */
export type NodeLease = LeaseStore & { readonly incarnation: string };

/** The lease as it is now; throws when it can't be read. */
export async function readRow(lease: LeaseStore): Promise<LeaseRow> {
  const answer = await lease.read();
  if (answer.kind === 'failed') throw new Error(answer.error);
  return answer.row;
}

/** A claim on what was observed, by default a release. */
export function claimOf(
  node: string,
  lease: NodeLease,
  observed: LeaseRow,
  details: Partial<Claim> = {},
): Claim {
  return {
    holder: { node, incarnation: lease.incarnation },
    basis: 'released',
    observed,
    highestTerm: 0n,
    ttlMs: 60_000,
    ordered: false,
    limit: { claims: 1_000, windowMs: 60_000 },
    evidence: 'a test',
    ...details,
  };
}

/** Makes a node the holder, whatever the lease was; gives the granted row. */
export async function grantTo(
  node: string,
  lease: NodeLease,
  details: Partial<Claim> = {},
): Promise<LeaseRow> {
  const observed = await readRow(lease);
  const answer = await lease.claim(
    claimOf(node, lease, observed, { basis: 'testified', ...details }),
  );
  if (answer.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(answer, plain)}`);
  return answer.row;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
