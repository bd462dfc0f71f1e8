import type { OrderWire, Register } from '@understudy/shared/protocol/agent';
import type { AgentRecord } from '../store/records.ts';
import { Refusal } from './refusal.ts';

/** Where orders to one worker go. */
export interface OrderStream {
  send(order: OrderWire): void;
  close(): void;
}

/** What one controller knows of one agent. */
export interface AgentEntry {
  record: AgentRecord;
  /** Registered with this controller. */
  isRegistered: boolean;
  /** The number of its last registration here. */
  session: number;
  /** What it can do, as labels beside its own. */
  readonly abilities: Readonly<Record<string, string>>;
  /** Incarnations that others have replaced, the newest last. */
  readonly past: readonly string[];
  stream: OrderStream | null;
  /** When it last said something, monotonic milliseconds. */
  heardAt: number;
  /** Since when it was seen to have something to do, on the same clock. */
  atWorkSince: number | null;
}

/** An agent of a past tenure, which has not come yet. */
export function absentEntry(record: AgentRecord): AgentEntry {
  const voice = { heardAt: 0, atWorkSince: null };
  return {
    record,
    isRegistered: false,
    session: 0,
    abilities: {},
    past: [],
    stream: null,
    ...voice,
  };
}

/** So many replaced incarnations of an agent are remembered. */
const PAST_KEPT = 16;

/**
 * A registration may be delayed on its way, and arrive after a newer one: what it says its worker runs is out
 * of date, and by it an attempt that was started meanwhile would be taken for one that never arrived.
 */
export function refuseLate(
  known: AgentEntry | undefined,
  { incarnation, session, agent }: Register,
): void {
  if (known === undefined) return;
  const isSame = known.record.incarnation === incarnation;
  if (isSame && session > 0 && session <= known.session) {
    throw new Refusal('late-registration', `${agent} has registered again since this was sent`);
  }
  if (known.past.includes(incarnation)) {
    throw new Refusal('duplicate-agent', `another process has taken the place of this ${agent}`);
  }
}

/** The incarnations that others have replaced, once this one registers. */
export function pastOf(known: AgentEntry | undefined, incarnation: string): readonly string[] {
  if (known === undefined || known.record.incarnation === incarnation) return known?.past ?? [];
  return [...known.past, known.record.incarnation].slice(-PAST_KEPT);
}
