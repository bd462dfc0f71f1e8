import { groupBy } from '../group-by.ts';

/** Invariants over what clients saw. Instants are nanoseconds of the host's monotonic clock. */

/** A successful answer of a controller, as the client that asked recorded it. */
export interface Served {
  readonly node: string;
  readonly term: bigint;
  readonly sentAt: bigint;
  readonly receivedAt: bigint;
}

/**
 * I2: at most one node serves at an instant. An answer was made somewhere between sending and
 * receiving, so a violation is certain only when a request was sent after an answer of a higher term
 * had already arrived, and was still answered under the lower one; or when a term has two nodes.
 */
export function servingFaults(answers: readonly Served[], force?: Force): string[] {
  const found: string[] = [];
  const nodes = new Map<bigint, string>();
  for (const { term, node } of answers) {
    const known = nodes.get(term) ?? node;
    if (known !== node) found.push(`I2: ${known} and ${node} both served in term ${term}`);
    nodes.set(term, known);
  }
  return [...found, ...lateAnswers(answers, force)];
}

/** A term that an operator took by force: whoever served before may answer on for so long. */
export interface Force {
  readonly term: bigint;
  readonly overlapMs: number;
}

function lateAnswers(answers: readonly Served[], force?: Force): string[] {
  const found: string[] = [];
  let firstAbove: Served | undefined;
  for (const group of byTermDescending(answers)) {
    for (const answer of group) {
      if (firstAbove === undefined || answer.sentAt <= firstAbove.receivedAt) continue;
      const [ms, above] = [(answer.sentAt - firstAbove.receivedAt) / 1_000_000n, firstAbove.term];
      if (above === force?.term && ms <= force.overlapMs) continue;
      found.push(`I2: term ${answer.term} was served ${ms} ms after term ${above} had begun`);
    }
    for (const answer of group) {
      if (firstAbove === undefined || answer.receivedAt < firstAbove.receivedAt) {
        firstAbove = answer;
      }
    }
  }
  return found;
}

function byTermDescending(answers: readonly Served[]): Served[][] {
  const groups = groupBy(answers, (answer) => answer.term);
  return [...groups].toSorted(([a], [b]) => (a < b ? 1 : -1)).map(([, group]) => group);
}

export interface Recovery {
  readonly healedAt: bigint;
  readonly boundMs: number;
  /** When successful answers arrived, of writes that were committed. */
  readonly successes: readonly bigint[];
  /** The nodes that called themselves active when all was quiet again. */
  readonly actives: readonly string[];
}

/** I10: after the heal there is one active, and a committed write within the bound. */
export function recoveryFaults(recovery: Recovery): string[] {
  const { healedAt, boundMs, successes, actives } = recovery;
  const found: string[] = [];
  if (actives.length !== 1)
    found.push(`I10: active after the heal: ${actives.join(', ') || 'none'}`);
  const until = healedAt + BigInt(boundMs) * 1_000_000n;
  if (!successes.some((at) => at >= healedAt && at <= until)) {
    found.push(`I10: nothing was committed within ${boundMs} ms of the heal`);
  }
  return found;
}

/** The longest time without a success, in milliseconds: what a prober says of an interruption. */
export function longestGapMs(successes: readonly bigint[]): number {
  const sorted = successes.toSorted((a, b) => (a < b ? -1 : 1));
  const gaps = sorted.slice(1).map((at, index) => Number(at - (sorted[index] ?? at)));
  return Math.max(0, ...gaps) / 1e6;
}

/** I16: a fault inside the tolerance changes no term. */
export function termChangeFaults(before: bigint, after: bigint): string[] {
  return before === after ? [] : [`I16: the term changed from ${before} to ${after}`];
}
