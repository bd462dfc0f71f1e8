import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import type { OpenWork, Takeover } from '../store/load.ts';
import type { NewEvent } from '../store/records.ts';

export interface OwnTenure {
  readonly node: string;
  readonly term: Term;
  readonly at: number;
}

/**
 * The event of a tenure that begins. It is a fail-over when there was a tenure before that nobody asked to
 * end, and that was not handed over. Committed under its term it says so once, whoever asks how often.
 */
export function tenureBegun(
  { takeover, runs }: Pick<OpenWork, 'takeover' | 'runs'>,
  { node, term, at }: OwnTenure,
): NewEvent {
  const failover = isFailover(takeover);
  const { basis, last } = takeover;
  const before = failover && last !== null ? ` in place of ${last.node}` : '';
  return {
    at,
    kind: 'tenure-begun',
    subject: node,
    message: `${node} is active under term ${term}${before}, with ${runs.length} open runs`,
    facts: {
      failover,
      basis,
      from: last?.node ?? null,
      to: node,
      lastTerm: last?.term ?? null,
      term: formatTerm(term),
      openRuns: runs.length,
    },
  };
}

/** The event of a tenure that ends because it was asked to. */
export function tenureEnded({ node, term, at }: OwnTenure): NewEvent {
  const message = `${node} was asked to end, and is active no more under term ${term}`;
  return { at, kind: 'tenure-ended', subject: node, message, facts: {} };
}

function isFailover({ basis, last }: Takeover): boolean {
  return basis !== 'handed-over' && last !== null && !last.ended;
}
