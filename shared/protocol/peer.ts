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
 */

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
