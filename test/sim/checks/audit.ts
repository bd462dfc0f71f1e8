import type { RunRecord } from '@understudy/controller/dispatch/run';
import { formatTerm, type Term, TIMELINE_SHIFT } from '@understudy/shared/kernel/term';
import type { SimController } from '../node/controller.ts';
import { CALM_FROM_MS } from '../plan/faults.ts';
import type { Writes } from '../store/repository.ts';
import type { StoreWitness } from '../store/server.ts';
import type { Lease, Tables } from '../store/tables.ts';
import type { World } from '../world.ts';
import { WorkAudit } from './work-audit.ts';

export interface Violation {
  readonly rule: string;
  readonly text: string;
  readonly atMs: number;
}

/** T - M after its last renewal, by a clock that is slow by rho; and killing it takes a moment. */
const FORCED_OVERLAP_TTLS = 1.1;

/** Watches a history as nobody in it can, and says which invariant was broken. */
export class Audit implements StoreWitness {
  readonly #world: () => World;
  readonly #holders = new Map<Term, string>();
  #highestGranted: Term = 0n;
  /** As far as the present timeline of the store knows. */
  #highestHere: Term = 0n;
  #highestAnswered: Term = 0n;
  /** Terms that an operator took by force, and when. */
  readonly #forcedAt = new Map<Term, number>();
  violation: Violation | null = null;
  /** When, under which term, something was last committed that users asked for. */
  lastAnswerAt = Number.NEGATIVE_INFINITY;

  readonly work: WorkAudit;

  constructor(world: () => World) {
    this.#world = world;
    this.work = new WorkAudit(world, (rule, text) => this.breach(rule, text));
  }

  get highestGranted(): Term {
    return this.#highestGranted;
  }

  breach(rule: string, text: string): void {
    if (this.violation !== null) return;
    const { engine, trace } = this.#world();
    this.violation = { rule, text, atMs: engine.now };
    trace?.('BREACH', `${rule}: ${text}`);
  }

  /** I3 and I4, on each change of the lease in commit order. */
  changed({ lease: before }: Tables, { lease: after }: Tables, clockMs: number): void {
    if (before === after) return;
    if (after.term !== before.term) this.#granted(after);
    else this.#sameTerm(before, after, clockMs);
  }

  /** I1: nothing is committed under a term after a later one was granted. */
  committed(term: Term, writes: Writes): void {
    const { counters } = this.#world();
    this.work.committed(writes);
    counters.commits += 1;
    if (term >= this.#highestHere) return;
    const granted = formatTerm(this.#highestHere);
    this.breach('I1', `term ${term} was committed under after term ${granted} was granted`);
  }

  /** What a fail-over of the store lost, never was: not the grants, and not what was answered under them. */
  failedOver({ historyTerm }: Tables): void {
    this.#highestHere = historyTerm;
    this.work.failedOver();
    if (this.#highestAnswered > historyTerm) this.#highestAnswered = historyTerm;
  }

  /** I2: a success answer under a term, after one under a later term. */
  answered(controller: SimController, run: RunRecord | null): void {
    const { counters, engine } = this.#world();
    const { term, node } = controller;
    if (term === null) return;
    counters.answers += 1;
    this.lastAnswerAt = engine.now;
    if (run !== null) this.work.acknowledged(run);
    if (term < this.#highestAnswered && !this.#mayOverlap(term, this.#highestAnswered)) {
      this.breach('I2', `${node.name} answered under term ${term} after ${this.#highestAnswered}`);
    }
    if (term > this.#highestAnswered) this.#highestAnswered = term;
  }

  /** I2: from now on this controller may answer users; no other one may at the same moment. */
  acts(controller: SimController): void {
    if (!controller.canAnswer()) return;
    for (const node of this.#world().nodes) {
      for (const other of node.controllers) {
        if (other === controller || !other.canAnswer()) continue;
        if (this.#mayOverlap(controller.term, other.term)) continue;
        const [here, there] = [controller.node.name, other.node.name];
        this.breach(
          'I2',
          `${here} (term ${controller.term}) and ${there} (term ${other.term}) may both answer`,
        );
      }
    }
  }

  /**
   * Whoever lost the role by force may answer on until its trust has run out, and not longer. So may who took
   * it, when the store then fails over to a copy that knows nothing of it and takes the old one's word.
   */
  #mayOverlap(one: Term | null, other: Term | null): boolean {
    const { engine, knobs } = this.#world();
    if (one === null || other === null) return false;
    const [low, high] = one < other ? [one, other] : [other, one];
    const since = engine.now - FORCED_OVERLAP_TTLS * knobs.timers.ttlMs;
    return [...this.#forcedAt].some(([term, at]) => {
      const isLost = low === term && high >> TIMELINE_SHIFT > low >> TIMELINE_SHIFT;
      return at >= since && term <= high && (low < term || isLost);
    });
  }

  #granted(lease: Lease): void {
    const { counters, trace, engine, knobs } = this.#world();
    const { term, holder } = lease;
    if (lease.isForced) this.#forcedAt.set(term, engine.now);
    const who = `${holder?.node}/${holder?.incarnation}`;
    counters.grants += 1;
    const isSettled = engine.now > CALM_FROM_MS && engine.now < knobs.troubledMs;
    if (knobs.isCalm && isSettled) {
      this.breach('I16', `term ${term} was granted to ${who} for a fault that is to be borne`);
    }
    trace?.('store', `grants term ${term} to ${who}`);
    if (term <= this.#highestGranted) {
      this.breach('I3', `term ${term} was granted to ${who} after ${this.#highestGranted}`);
    }
    const known = this.#holders.get(term);
    if (known !== undefined && known !== who) {
      this.breach('I3', `term ${term} was granted to ${known} and to ${who}`);
    }
    this.#holders.set(term, who);
    if (term > this.#highestGranted) this.#highestGranted = term;
    if (term > this.#highestHere) this.#highestHere = term;
    if (lease.renewSeq !== 0n) this.breach('I4', `term ${term} began at ${lease.renewSeq}`);
  }

  #sameTerm(before: Lease, after: Lease, clockMs: number): void {
    const { term } = after;
    if (after.renewSeq !== before.renewSeq + 1n) {
      this.breach('I4', `term ${term} went from ${before.renewSeq} to ${after.renewSeq}`);
    }
    if (after.holder?.incarnation !== before.holder?.incarnation) {
      this.breach('I4', `term ${term} changed hands`);
    }
    const isRevived = after.revivals === before.revivals + 1;
    const isRaised = !after.released && !isRevived && before.expiresAt <= clockMs;
    if (isRaised) this.breach('I4', `term ${term} was renewed after it had expired`);
    if (before.released && !after.released) this.breach('I4', `term ${term} was taken back`);
    if (after.released) this.#world().trace?.('store', `term ${term} is released`);
  }
}
