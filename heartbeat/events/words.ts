import type { RoleEvent } from '../role/state.ts';
import { draft, type EventDraft } from './draft.ts';
import { rules } from './rules.ts';

/**
 * Tells of words given and received (PROTOCOL.md, "Testimony"), each once: as long as it is in doubt, a peer
 * asks several times a second.
 */
export class Words {
  readonly #told = new Map<string, bigint>();

  /** What is to be told of a role event; null for nothing. */
  onEvent(event: RoleEvent): EventDraft | null {
    if (event.kind !== 'testimony' && event.kind !== 'testified') return null;
    const key = event.kind === 'testimony' ? `of ${event.node}` : 'ours';
    const { term } = event;
    if ((this.#told.get(key) ?? -1n) >= term) return null;
    this.#told.set(key, term);
    return event.kind === 'testimony'
      ? draft('testimony', `the host of ${event.node} gave its word that its tenure is over`, {
          term,
          rule: rules.testimony,
        })
      : draft('testified', 'gave its word to a peer that its tenures up to this term are over', {
          term,
          rule: rules.givenWord,
        });
  }
}
