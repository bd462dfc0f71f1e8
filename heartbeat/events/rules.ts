import type { ClaimBasis } from '../lease/port.ts';
import type { DemoteReason } from '../role/state.ts';

/** The rules of the pair, in the words in which an event names them. ARCHITECTURE.md gives the reasons. */
export const rules = {
  noClaimOnHint: 'a refused connection or a silent peer is no evidence that its tenure is over',
  lateIsNotOver:
    'silence counts after T (1 + rho) without a change on our own clock, and only if the store says expired too',
  failedIsUnknown:
    'a renewal that fails means unknown, never no: the holder stays active until its trust runs out',
  severalChecks: 'only several bad checks in a row count against a controller',
  grant: 'the store grants by compare-and-set on what was observed, with a higher term',
  refusal: 'the store refuses a claim when the lease is not as it was observed',
  lostAnswer: 'a lost answer means unknown: the lease is read before anything else is done',
  unusedGrant: 'a grant that can not be used is given back at once',
  fence: 'the lease is given back only after nothing of the term runs any more',
  giveBackFailed:
    'a lease that could not be given back is left to run out; peers may ask for our word',
  predecessor:
    'a restarted heartbeat that found its predecessor dead is the only witness of it, and gives its lease back',
  storeAway: 'nobody becomes active without the store',
  suspended: 'after a sleep of the host nothing counts that was known before',
  testimony: "the word of the holder's own host binds it: the lease of that term may be broken",
  givenWord: 'a word given binds: no grant up to that term is used here',
  failsafe:
    'while every peer is bound to stay passive, a holder that cannot reach the store goes on; one refusal is enough for its trust to run out',
  promise: 'a passive that cannot write to the store either may bind itself to stay passive',
  switchOver:
    'a switch-over happens only when the old active has stopped writing, and the store gives the lease to the successor in one step',
  calledOff: 'a switch-over that can not be finished changes nothing',
  takenOver:
    'a lease that was handed over is renewed by its new holder before it is trusted; one that was not announced goes back',
  holdsStill:
    'in a pause, or after too many claims, only the last holder takes the role back; while a prepared transaction holds the fence, nobody does',
  pause: 'a pause allows no automatic change of roles, and ends by itself',
  disagreement: 'nodes that do not use the same database do not take the role from each other',
  certificate:
    'a certificate that expires, or can not be replaced, moves no role; it is told of in time, because new connections will need it',
  failback: 'a preferred node gets the role back only after it was ready for failover.failback',
  addressPresent:
    'the virtual addresses are where the controller serves, for as long as the lease, which the kernel enforces',
  addressAbsent: 'a host that is not active does not have the virtual addresses',
  serve:
    'a controller serves once the grant is fenced, what is open is loaded and its port is open',
} as const;

/** Why a claim was allowed. */
export const claimRules: Readonly<Record<ClaimBasis, string>> = {
  released: 'a lease that was released may be claimed at once',
  testified: rules.testimony,
  silence:
    'silence: unchanged for T (1 + rho) on our own clock, and expired in the store by its own clock',
  forced:
    'an operator may take the role by force: the fence keeps what is committed right, and the old active is believed until its own trust runs out',
};

/** Why an active node goes passive. */
export const demotionRules: Readonly<Record<DemoteReason, string>> = {
  'asked-to-stop':
    'a heartbeat that is asked to stop lets its controller finish, then gives the lease back',
  'asked-to-switch-over': rules.switchOver,
  'store-reachable-by-peer':
    'a holder that lost the store, while a peer reaches it, lets that peer take over',
  'controller-ended': 'a node without a controller is not active',
  'controller-unhealthy':
    'a controller that fails several checks in a row is killed, not waited for',
  'controller-did-not-serve':
    'a controller that does not serve in time after its activation is killed',
  'lease-lost': 'a renewal that the store refuses means that the lease is lost',
  'trust-ran-out':
    'without a renewal, trust ends T - M after the last one that succeeded was sent, before the store lets others claim',
  'higher-term-seen': 'whoever hears of a higher term is deposed',
  'store-failed-over':
    'a controller whose store has failed over may know what the store lost: another one reads what is open',
};
