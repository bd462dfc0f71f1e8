import type { Listen } from '@understudy/shared/runtime/config/types';
import type { PairController } from './controllers.ts';
import type { Pace } from './pace.ts';

/** What the configuration of a load balancer is made from. */
export interface LbFacts {
  readonly pair: string;
  readonly controllers: readonly PairController[];
  /** Where users are taken in. */
  readonly listen: readonly Listen[];
  readonly pace: Pace;
}

/** Says which controllers were taken, and how they are known; each line a comment. */
export function controllerComments({ controllers }: Pick<LbFacts, 'controllers'>): string {
  return controllers
    .map(
      ({ name, controller, heartbeat, source }) =>
        `#   ${name}: controller ${controller.origin} (from ${source}), heartbeat ${heartbeat.origin}`,
    )
    .join('\n');
}

/** What users are told while nobody is active, in the form of every error of the pair. */
export const NOBODY_ACTIVE = errorBody(
  'not-active',
  'no controller is active at the moment; try again',
);

/** What users are told when an answer got lost on its way. */
export const ANSWER_LOST = errorBody(
  'answer-lost',
  'the controller did not answer: whether this was carried out is not known; ask, or repeat it with the same Idempotency-Key',
);

function errorBody(code: string, message: string): string {
  return JSON.stringify({ error: { code, message } });
}
