import { z } from 'zod';
import { parseDurationMs } from '../../kernel/duration.ts';
import { parseSizeBytes } from '../../kernel/size.ts';
import { labelsSchema, nameSchema } from '../../protocol/api.ts';
import type { CheckConfig, Listen } from './types.ts';
import { VIRTUAL_ADDRESSES, virtualAddressesSchema } from './virtual-address.ts';

/** What a value of the configuration may be, and the words for it in an error message. */
export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  readonly expected: string;
  /** How text (from the environment or the command line) becomes a value: as it is, or read as YAML. */
  readonly fromText: 'as-is' | 'yaml';
}

/** A kind whose text is taken as it is. */
function textKind<T>(schema: z.ZodType<T>, expected: string): Kind<T> {
  return { schema, expected, fromText: 'as-is' };
}

/** A kind whose text is read as YAML (and so as JSON): numbers, lists, objects. */
function yamlKind<T>(schema: z.ZodType<T>, expected: string): Kind<T> {
  return { schema, expected, fromText: 'yaml' };
}

const durationSchema = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== null && ms > 0 && ms <= 2_147_483_647) return ms;
  context.addIssue({ code: 'custom', message: 'not a duration' });
  return z.NEVER;
});

const DURATION = 'a duration above 0 like 250ms, 2s or 10m';
export const durationKind = textKind(durationSchema, DURATION);

export const durationOrNeverKind: Kind<number | null> = textKind(
  z.union([z.literal('never').transform(() => null), durationSchema]),
  `never, or ${DURATION}`,
);

const MOST_AGE_MS = 36_500 * 86_400_000;
const ageSchema = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== null && ms >= 1_000 && ms <= MOST_AGE_MS) return ms;
  context.addIssue({ code: 'custom', message: 'not an age' });
  return z.NEVER;
});

/** How long something is kept; null: for ever. */
export const ageOrNeverKind: Kind<number | null> = textKind(
  z.union([z.literal('never').transform(() => null), ageSchema]),
  'never, or a duration from 1s to 36500d, like 30d',
);

/** A number of bytes. */
export const sizeKind: Kind<number> = textKind(
  z.string().transform((text, context) => {
    const bytes = parseSizeBytes(text);
    if (bytes !== null && bytes > 0) return bytes;
    context.addIssue({ code: 'custom', message: 'not a size' });
    return z.NEVER;
  }),
  'a size above 0 like 512kb, 16mb or 1gb',
);

export const yesNoKind: Kind<boolean> = yamlKind(z.boolean(), 'true or false');

export const nameKind = textKind(
  nameSchema,
  'a name: 1 to 128 letters, digits, dots, dashes, underscores, beginning with a letter or digit',
);

export const secretKind = textKind(
  z.string().regex(/^[\x21-\x7e]+$/),
  'a secret text without spaces, as it can stand in an HTTP header',
);

export const databaseKind = textKind(
  z.string().regex(/^postgres(ql)?:\/\/([^@/?#\s]*@)?[^@/?#\s]+\/[^/?#\s]+(\?\S*)?$/),
  'a URL like postgres://user:password@host:5432/database (special characters of the password as %XX)',
);

export const schemaKind = textKind(
  z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/),
  'the name of a PostgreSQL schema: lower-case letters, digits, underscores',
);

const listenSchema = z.string().transform((text, context): Listen => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  context.addIssue({ code: 'custom', message: 'not an address' });
  return z.NEVER;
});
export const listenKind = textKind(listenSchema, 'an address like 0.0.0.0:7400 or [::]:7400');

const urlSchema = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const plain =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    [url.username, url.password, url.search, url.hash].every((part) => part === '') &&
    url.pathname === '/';
  if (plain) return url.origin;
  context.addIssue({ code: 'custom', message: 'not a URL' });
  return z.NEVER;
});

const URL_FORM = 'like http://10.0.0.12:7400, without path, user or query';
export const urlKind = textKind(urlSchema, `a URL ${URL_FORM}`);
export const urlListKind = yamlKind(
  z
    .array(urlSchema)
    .min(1)
    .refine((urls) => new Set(urls).size === urls.length, 'named twice'),
  `a list of one or more different URLs, each ${URL_FORM}`,
);

export const commandKind = yamlKind(
  z.array(z.string()).refine((parts) => parts.length === 0 || parts[0] !== '', 'no program'),
  'a list: the program and its arguments, or [] for none',
);

export const userListKind = yamlKind(
  z.array(
    z
      .union([z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/), z.number().int().min(0)])
      .transform(String),
  ),
  'a list of names or numbers of users, or [] for none',
);

const checkTimeout = { timeout: durationSchema.default(1_000) };
const checkSchema = z
  .union([
    z.strictObject({ http: z.url({ protocol: /^https?$/ }), ...checkTimeout }),
    z.strictObject({ tcp: z.string().regex(/^\S+:\d{1,5}$/), ...checkTimeout }),
    z.strictObject({ command: z.array(z.string().min(1)).min(1), ...checkTimeout }),
  ])
  .transform(({ timeout, ...check }): CheckConfig => ({ ...check, timeoutMs: timeout }));
export const checkKind = yamlKind(
  checkSchema,
  'one of { http: URL }, { tcp: host:port }, { command: [program, ...] }, each with an optional timeout',
);

export const virtualAddressesKind = yamlKind(virtualAddressesSchema, VIRTUAL_ADDRESSES);

export const labelsKind = yamlKind(
  labelsSchema,
  'labels: names with text values, like { zone: eu, gpu: "false" }',
);

/** One of a few words. */
export function wordKind<const W extends string>(...words: readonly [W, ...W[]]): Kind<W> {
  return textKind(z.enum(words), `one of ${words.join(', ')}`);
}

/** A whole number in a range. */
export function wholeKind(min: number, max: number): Kind<number> {
  return yamlKind(z.number().int().min(min).max(max), `a whole number from ${min} to ${max}`);
}

const pathSchema = z
  .string()
  .min(1)
  .refine((text) => !text.includes('\0'));

/** Text that is not empty and has no NUL. */
export const pathKind = textKind(pathSchema, 'the path of a folder');
export const fileKind = textKind(pathSchema, 'the path of a file');

/** A value of any form, for keys of which this version accepts the default alone. */
export const anyKind = yamlKind(z.unknown(), 'nothing');
