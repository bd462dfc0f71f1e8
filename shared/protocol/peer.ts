import { z } from 'zod';
import { nameSchema } from './api.ts';
import { heardTermSchema, termSchema } from './tenure.ts';

/**
 * What heartbeats say to each other, all by POST with the pair's token and a nonce of the asker. Every
 * answer is signed over that nonce (see `heartbeat/peer/signature.ts`), so that it can be neither forged
 * nor played back. A message of a peer can make a node wait, ask or step down, never serve.
 *
 *   POST /peer/v1/exchange    each tells the other how it is
 *   POST /peer/v1/testimony   "give me your word that your tenures up to this term are over"
 *   POST /peer/v1/consent     "I can't reach the store: will you stay passive for so long?"
 *   POST /peer/v1/prepare     "I am about to hand the lease over to you: are you ready?"
 *   POST /peer/v1/switchover  "you are active: hand the role over", from an operator or a preferred node
 */

/** What two heartbeats must agree on to switch over: it rises when these messages change incompatibly. */
export const PEER_PROTOCOL = 1;

/** How a node describes itself to its peers. */
export const peerStateSchema = z.object({
  pair: nameSchema,
  node: nameSchema,
  incarnation: z.uuid(),
  url: z.string(),
  controllerUrl: z.string(),
  version: z.string(),
  role: z.enum(['active', 'passive']),
  phase: z.string(),
  term: termSchema.nullable(),
  highestTerm: heardTermSchema,
  ready: z.boolean(),
  notReady: z.array(z.string()),
  ttlMs: z.number(),
  /** The highest term whose tenure ended here without the store knowing. */
  tenureOver: termSchema.nullable(),
  /** When and why it last ceased to serve, so that its successor can measure the interruption. */
  lastServed: z
    .object({
      term: termSchema,
      agoMs: z.number().nonnegative(),
      how: z.enum(['demotion', 'last-good-check', 'hold']),
      reason: z.string(),
    })
    .nullable()
    .default(null),
  protocol: z.number().int().default(1),
  preferred: z.boolean().default(false),
  /** Whether its host has the virtual addresses, or one of them. */
  hasAddress: z.boolean().default(false),
  /** Which database it uses; null when that is not known. */
  storeId: z.string().nullable().default(null),
});
export type PeerState = z.infer<typeof peerStateSchema>;
export type PeerStateWire = z.input<typeof peerStateSchema>;

export const exchangeSchema = z.object({
  nonce: z.string().min(16).max(64),
  state: peerStateSchema,
});

export const testimonyRequestSchema = z.object({
  pair: nameSchema,
  node: nameSchema,
  nonce: z.string().min(16).max(64),
  term: termSchema,
  /** Who holds the lease in that term, as the store says. */
  incarnation: z.uuid(),
});

/**
 * Binding: "for all terms up to `term` no controller of mine runs, and I ignore any grant or renewal of
 * them that is still under way". Otherwise the reason why the word is not given.
 */
export const testimonySchema = z.discriminatedUnion('binding', [
  z.object({
    binding: z.literal(true),
    node: nameSchema,
    incarnation: z.uuid(),
    term: termSchema,
    nonce: z.string(),
  }),
  z.object({ binding: z.literal(false), node: nameSchema, reason: z.string() }),
]);
export type Testimony = z.infer<typeof testimonySchema>;
export type TestimonyWire = z.input<typeof testimonySchema>;

const asker = { pair: nameSchema, node: nameSchema, nonce: z.string().min(16).max(64) };

export const consentRequestSchema = z.object({
  ...asker,
  term: termSchema,
  incarnation: z.uuid(),
  forMs: z.number().min(0).max(3_600_000),
});

/**
 * Given: the peer is bound to stay passive for `forMs` from when it heard. Refused: `store-fine` means that a
 * write of its own has just succeeded.
 */
export const consentSchema = z.discriminatedUnion('given', [
  z.object({
    given: z.literal(true),
    node: nameSchema,
    nonce: z.string(),
    term: termSchema,
    forMs: z.number(),
  }),
  z.object({
    given: z.literal(false),
    node: nameSchema,
    nonce: z.string(),
    why: z.enum(['store-fine', 'not-passive', 'claiming', 'higher-term']),
    highestTerm: termSchema,
  }),
]);
export type ConsentWire = z.input<typeof consentSchema>;

export const prepareRequestSchema = z.object({ ...asker, term: termSchema, incarnation: z.uuid() });
export const prepareSchema = z.discriminatedUnion('ready', [
  z.object({
    ready: z.literal(true),
    node: nameSchema,
    nonce: z.string(),
    incarnation: z.uuid(),
    controllerUrl: z.string(),
  }),
  z.object({
    ready: z.literal(false),
    node: nameSchema,
    nonce: z.string(),
    reasons: z.array(z.string()),
  }),
]);
export type Prepared = z.infer<typeof prepareSchema>;
export type PreparedWire = z.input<typeof prepareSchema>;

export const switchOverRequestSchema = z.object({ ...asker, to: nameSchema.nullable() });
export const switchOverAnswerSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('done'),
    nonce: z.string(),
    from: nameSchema,
    to: nameSchema,
    term: termSchema,
    interruptedMs: z.number().nullable(),
  }),
  z.object({
    kind: z.literal('refused'),
    nonce: z.string(),
    why: z.enum([
      'no-active',
      'already-active',
      'unknown-node',
      'peer-not-ready',
      'peer-unreachable',
      'other-version',
      'failsafe',
      'change-under-way',
      'not-held',
      'store-away',
      'failed',
    ]),
    reason: z.string(),
  }),
]);
export type SwitchOverAnswerWire = z.input<typeof switchOverAnswerSchema>;
