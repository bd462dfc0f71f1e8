import { unreachable } from '@understudy/shared/kernel/invariant';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { draft, type EventDraft } from '../events/draft.ts';
import { rules } from '../events/rules.ts';
import { showAddress } from './found.ts';
import type { AddressStory } from './plan/state.ts';

export interface DescribedAddress {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: EventDraft;
}

/** Puts what became of the virtual addresses into words, for the log and as an event. */
export function describeAddress(
  story: AddressStory,
  addresses: readonly VirtualAddress[],
): DescribedAddress {
  const all = addresses.map(showAddress);
  const names = all.join(', ');
  switch (story.kind) {
    case 'address-added':
      return {
        level: 'info',
        event: draft(story.kind, `this host has ${names}`, {
          term: story.term,
          rule: rules.addressPresent,
          evidence: `the kernel keeps it for ${story.lifeS} s unless the lease is renewed`,
          facts: { addresses: all, lifeS: story.lifeS },
        }),
      };
    case 'address-removed':
      return {
        level: 'info',
        event: draft(story.kind, `this host has ${names} no more`, {
          rule: rules.addressAbsent,
          evidence: story.why,
          facts: { addresses: all },
        }),
      };
    case 'address-lost':
      return {
        level: 'error',
        event: draft(story.kind, 'a virtual address has vanished from this active host: adds it', {
          rule: rules.addressPresent,
          evidence: `not on this host: ${story.addresses.join(', ')}`,
          facts: { addresses: story.addresses },
        }),
      };
    case 'address-found':
      return {
        level: 'error',
        event: draft(story.kind, 'this host has a virtual address and is not active: removes it', {
          rule: rules.addressAbsent,
          evidence: `on this host: ${story.addresses.join(', ')}`,
          facts: { addresses: story.addresses },
        }),
      };
    case 'address-failed':
      return {
        level: 'error',
        event: draft(story.kind, failures[story.what], {
          rule:
            story.what === 'add' || story.what === 'announce'
              ? rules.addressPresent
              : rules.addressAbsent,
          evidence: story.error,
          facts: { what: story.what, addresses: all },
        }),
      };
    default:
      return unreachable(story);
  }
}

const failures = {
  add: 'a virtual address could not be added: tries on',
  close: 'a virtual address could not be closed to who is not connected before it leaves: tries on',
  remove: 'a virtual address could not be removed: tries on, and the kernel removes it in time',
  announce: 'a virtual address could not be announced: neighbours may ask for it at the old host',
} as const;
