import type { Term } from '@understudy/shared/kernel/term';
import type { RoleState, Story } from '../role/state.ts';
import { tenureOf } from '../role/view.ts';
import type { LastRenewal, LastService } from './interruption.ts';

/**
 * Watches who serves, for the measurement: remembers when our own service ended and when another node's
 * lease was last renewed. Instants are monotonic milliseconds.
 */
export class ServiceWatch {
  readonly #node: string;
  #basis: string | null = null;
  #servingTerm: Term | null = null;
  #ended: LastService | null = null;
  #renewal: LastRenewal | null = null;
  #lastGoodCheck: number | null = null;
  #heldAt: number | null = null;
  #storeTroubleAt = Number.NEGATIVE_INFINITY;

  constructor(node: string) {
    this.#node = node;
  }

  /** The end of our own last service; null while there was none. */
  get ended(): LastService | null {
    return this.#ended;
  }

  /** The newest renewal that was seen of another node. */
  get lastRenewal(): LastRenewal | null {
    return this.#renewal;
  }

  /** When the store last failed us as well. */
  get storeTroubleAt(): number {
    return this.#storeTroubleAt;
  }

  /** Why the lease is ours: as claimed, or `handed-over`. */
  get basis(): string {
    return this.#basis ?? 'handed-over';
  }

  onState(state: RoleState, now: number): void {
    const { row, changedAt } = state.watch;
    if (row?.holder && !row.released && row.holder.node !== this.#node) {
      this.#renewal = { node: row.holder.node, term: row.term, at: changedAt };
    }
    this.#noteHold(state, now);
    if (state.phase.name !== 'watching') return;
    this.#basis = null;
    // Nothing was told of a demotion: the lease went to another node.
    if (this.#servingTerm !== null) this.#end(this.#servingTerm, 'handed-over', now);
  }

  onStory(story: Story, now: number): void {
    switch (story.kind) {
      case 'claiming':
        this.#basis = story.basis;
        break;
      case 'serving':
        this.#servingTerm = story.term;
        this.#lastGoodCheck = null;
        this.#heldAt = null;
        break;
      case 'store-away':
      case 'store-back':
      case 'claim-answer-lost':
        this.#storeTroubleAt = now;
        break;
      case 'demoting':
        this.#end(story.term, story.why.reason, now);
        break;
    }
  }

  /** The controller was found well. */
  onGoodCheck(now: number): void {
    if (this.#servingTerm !== null) this.#lastGoodCheck = now;
  }

  /** A tenure that is held while its controller takes nothing new: a switch-over is under way. */
  #noteHold(state: RoleState, now: number): void {
    const { name } = state.phase;
    if (name === 'serving') this.#heldAt = null;
    else if (tenureOf(state) !== null && this.#servingTerm !== null) this.#heldAt ??= now;
  }

  #end(term: Term, reason: string, now: number): void {
    if (this.#servingTerm !== term) return;
    this.#servingTerm = null;
    this.#ended = { node: this.#node, term, reason, ...this.#lastInstant(reason, now) };
  }

  #lastInstant(reason: string, now: number): Pick<LastService, 'at' | 'how'> {
    if (reason === 'handed-over' && this.#heldAt !== null) return { at: this.#heldAt, how: 'hold' };
    // A controller that hung served nobody since it was last found well.
    if (reason === 'controller-unhealthy' && this.#lastGoodCheck !== null) {
      return { at: this.#lastGoodCheck, how: 'last-good-check' };
    }
    return { at: now, how: 'demotion' };
  }
}
