import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { z } from 'zod';

/** The parts that this process uses, as far as they need checking: the heartbeat has parsed the file. */
const usedSchema = z.looseObject({
  pair: z.string(),
  node: z.string(),
  database: z.string(),
  schema: z.string(),
  token: z.string().min(1),
  controller: z.looseObject({ listen: z.object({ host: z.string(), port: z.number() }) }),
  timers: z.looseObject({ ttlMs: z.number(), marginMs: z.number(), killWithinMs: z.number() }),
  agents: z.object({ beatEveryMs: z.number(), lostAfterMs: z.number() }),
  log: z.object({ level: z.string(), format: z.string() }),
});

/** Makes sure that what came over the channel is the configuration of a controller host. */
export function checkConfig(given: unknown): ControllerHostConfig {
  usedSchema.parse(given);
  return given as ControllerHostConfig;
}
