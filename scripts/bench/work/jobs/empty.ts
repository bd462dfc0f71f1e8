import { fileURLToPath } from 'node:url';

/** What an empty job does: nothing, in the process that is there. */
export function run(): void {}

/** A job of it, as users would write it. */
export const emptyModuleJob = {
  module: { path: fileURLToPath(import.meta.url), export: 'run' },
} as const;
