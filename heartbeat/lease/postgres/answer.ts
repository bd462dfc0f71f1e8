import { invariant } from '@understudy/shared/kernel/invariant';
import { z } from 'zod';
import type { Failed, LeaseRow } from '../port.ts';
import type { RegisteredNode } from '../registry.ts';
import type { Rows } from './lane.ts';

// pg gives bigints as decimal strings.
const bigintSchema = z.string().transform(BigInt);

const leaseAnswerSchema = z.object({
  outcome: z.string(),
  why: z.string().nullable(),
  term: bigintSchema,
  holder: z.string().nullable(),
  incarnation: z.string().nullable(),
  renew_seq: bigintSchema,
  released: z.boolean(),
  expired: z.boolean(),
  ttl_ms: z.number(),
  timeline: z.number(),
  remaining_ms: z.string().transform(Number),
  paused_ms: z.string().transform(Number).nullable(),
});

export interface LeaseAnswer {
  readonly kind: 'answered';
  readonly outcome: string;
  readonly why: string | null;
  readonly row: LeaseRow;
}

/** Reads the one row that every function on the lease returns. A malformed row is a failure. */
export function parseLeaseAnswer(answer: Rows): LeaseAnswer | Failed {
  if (answer.kind === 'failed') return answer;
  const parsed = leaseAnswerSchema.safeParse(answer.rows[0]);
  if (!parsed.success) return malformed(parsed.error);
  const { outcome, why, term, holder, incarnation, renew_seq, released, expired } = parsed.data;
  return {
    kind: 'answered',
    outcome,
    why,
    row: {
      term,
      holder: holder === null || incarnation === null ? null : { node: holder, incarnation },
      renewSeq: renew_seq,
      released,
      storeSaysExpired: expired,
      ttlMs: parsed.data.ttl_ms,
      timeline: parsed.data.timeline,
      remainingMs: parsed.data.remaining_ms,
      pausedForMs: parsed.data.paused_ms,
    },
  };
}

const nodeSchema = z.object({
  incarnation: z.string(),
  heartbeat_url: z.string(),
  boot_id: z.string(),
  pid: z.number(),
  pid_start: z.string(),
  seen_seq: bigintSchema,
});

/** Reads who holds a node id; null when nobody does. */
export function parseNode(
  answer: Rows,
): { readonly kind: 'node'; readonly node: RegisteredNode | null } | Failed {
  if (answer.kind === 'failed') return answer;
  if (answer.rows.length === 0) return { kind: 'node', node: null };
  const parsed = nodeSchema.safeParse(answer.rows[0]);
  if (!parsed.success) return malformed(parsed.error);
  const { incarnation, heartbeat_url, boot_id, pid, pid_start, seen_seq } = parsed.data;
  return {
    kind: 'node',
    node: {
      incarnation,
      heartbeatUrl: heartbeat_url,
      bootId: boot_id,
      pid,
      pidStart: pid_start,
      seenSeq: seen_seq,
    },
  };
}

/** Reads the answer of a function that says yes or no. */
export function parseYes(answer: Rows): { readonly kind: 'said'; readonly yes: boolean } | Failed {
  if (answer.kind === 'failed') return answer;
  const parsed = z.object({ yes: z.boolean() }).safeParse(answer.rows[0]);
  return parsed.success ? { kind: 'said', yes: parsed.data.yes } : malformed(parsed.error);
}

/** Reads the answer of a function that gives one text, or none. */
export function parseText(
  answer: Rows,
): { readonly kind: 'said'; readonly text: string | null } | Failed {
  if (answer.kind === 'failed') return answer;
  const parsed = z.object({ text: z.string().nullable() }).safeParse(answer.rows[0]);
  return parsed.success ? { kind: 'said', text: parsed.data.text } : malformed(parsed.error);
}

/** The outcomes an operation may have in the store; any other one breaks the contract with it. */
export function expectOutcome<T extends string>(answer: LeaseAnswer, outcomes: readonly T[]): T {
  const outcome = outcomes.find((candidate) => candidate === answer.outcome);
  invariant(outcome !== undefined, `the store answered "${answer.outcome}"`);
  return outcome;
}

function malformed(error: z.ZodError): Failed {
  return { kind: 'failed', error: `the store's answer is malformed: ${z.prettifyError(error)}` };
}
