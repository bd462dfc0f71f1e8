/** What an attempt does, and in which manner: the part of a job that an agent carries out. */
import { z } from 'zod';
import { durationSchema, sizeSchema, text } from './forms.ts';

const variableName = /^[A-Za-z_$][A-Za-z0-9_$]{0,127}$/;

/** A request that the agent makes. */
const httpSchema = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  url: text(8_192).regex(
    /^https?:\/\/[^\s/]/,
    'expected a URL that begins with http:// or https://',
  ),
  headers: z
    .record(
      z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'expected the name of a header'),
      text(8_192).regex(/^[^\r\n]*$/, 'must be one line'),
    )
    .default({}),
  body: text(1_048_576).nullable().default(null),
  /** Which answers mean success. */
  expect: z
    .array(
      z.union([
        z.number().int().min(100).max(599),
        z
          .string()
          .regex(/^[1-5]\d\d-[1-5]\d\d$/, 'expected a status code, or a range like 200-299'),
      ]),
    )
    .min(1)
    .max(100)
    .default(['200-299']),
});
export type HttpAction = z.infer<typeof httpSchema>;

/** A function of a JavaScript module that lies on the agent. */
const moduleSchema = z.strictObject({
  path: text(4_096).regex(/^\//, 'expected an absolute path on the agent'),
  export: z.string().regex(variableName, 'expected the name of an export').default('default'),
});
export type ModuleAction = z.infer<typeof moduleSchema>;

export const actionKinds = ['command', 'shell', 'http', 'module'] as const;

/** What an attempt does. Exactly one of them is there; see `checkAction`. */
export const actionFields = {
  /** A program and its arguments. */
  command: z.array(text(65_536)).min(1).max(1_000).optional(),
  /** A line for `/bin/sh -c`. */
  shell: text(65_536, 1).optional(),
  http: httpSchema.optional(),
  module: moduleSchema.optional(),
};
const actionSchema = z.object(actionFields);
export type Action = z.infer<typeof actionSchema>;
export type ActionInput = z.input<typeof actionSchema>;

/** The same as it travels: what a controller has taken in is not measured again. */
export const actionWire = {
  command: z.array(z.string()).min(1).optional(),
  shell: z.string().optional(),
  http: httpSchema.optional(),
  module: moduleSchema.optional(),
};

/** Between SIGTERM and SIGKILL, where nothing else was said. */
export const DEFAULT_GRACE_MS = 5_000;
const HOUR_MS = 3_600_000;
const graceSchema = durationSchema(0, HOUR_MS);

const onLimitSchema = z.enum(['truncate', 'kill']);
const DEFAULT_OUTPUT = { limitBytes: 16 * 1_024 ** 2, onLimit: 'truncate' } as const;
const limitSchema = sizeSchema(0, 1_024 ** 4);

/** `limitBytes` is another way to write `limit`. */
const outputSchema = z
  .strictObject({
    limit: limitSchema.optional(),
    limitBytes: limitSchema.optional(),
    onLimit: onLimitSchema.default('truncate'),
  })
  .transform(({ limit, limitBytes, onLimit }) => ({
    limitBytes: limit ?? limitBytes ?? DEFAULT_OUTPUT.limitBytes,
    onLimit,
  }));
export type OutputLimit = z.infer<typeof outputSchema>;

/** In which manner it is done, as users write it. `graceMs` is another way to write `grace`. */
export const mannerFields = {
  /** The folder in which a program starts. */
  cwd: text(4_096).regex(/^\//, 'expected an absolute path on the agent').nullable().default(null),
  /** The name or number of the user as which a program runs. */
  user: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, 'expected the name of a user, or a user id')
    .nullable()
    .default(null),
  grace: graceSchema.optional(),
  graceMs: graceSchema.optional(),
  output: outputSchema.default(DEFAULT_OUTPUT),
};

/** The grace as it was written in either way. */
export function graceOf(written: {
  readonly grace?: number | undefined;
  readonly graceMs?: number | undefined;
}): number {
  return written.grace ?? written.graceMs ?? DEFAULT_GRACE_MS;
}

/** In which manner an attempt does what it does. */
export interface Manner {
  readonly cwd: string | null;
  readonly user: string | null;
  readonly graceMs: number;
  readonly output: OutputLimit;
}

/** The same as it travels; what is missing was not said by an older controller. */
export const mannerWire = {
  cwd: z.string().nullable().default(null),
  user: z.string().nullable().default(null),
  graceMs: z.number().int().min(0).max(HOUR_MS).default(DEFAULT_GRACE_MS),
  output: z
    .object({ limitBytes: z.number().int().min(0), onLimit: onLimitSchema })
    .nullable()
    .default(null),
};

/** Which of the kinds are there. */
export function kindsOf(action: ActionInput): (typeof actionKinds)[number][] {
  return actionKinds.filter((kind) => action[kind] !== undefined);
}

/** What is to be done, out of all that is known of a job or an order. */
export function actionOf({ command, shell, http, module }: Action): Action {
  return { command, shell, http, module };
}

/** The same of the manner. */
export function mannerOf({ cwd, user, graceMs, output }: Manner): Manner {
  return { cwd, user, graceMs, output };
}

/** For jobs: exactly one kind, and nothing that it could not heed. */
export function checkAction(
  job: Action & Pick<Manner, 'cwd' | 'user'>,
  context: z.RefinementCtx,
): void {
  const kinds = kindsOf(job);
  if (kinds.length !== 1) {
    const found = kinds.length === 0 ? 'none of them' : kinds.join(' and ');
    const message = `expected exactly one of ${actionKinds.join(', ')}; found ${found}`;
    context.addIssue({ code: 'custom', path: [kinds[1] ?? 'command'], message });
  }
  if (job.http === undefined && job.module === undefined) return;
  for (const field of ['cwd', 'user'] as const) {
    if (job[field] === null) continue;
    const message = 'is for command and shell: http and module run in a process of the agent';
    context.addIssue({ code: 'custom', path: [field], message });
  }
}
