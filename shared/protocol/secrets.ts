import { z } from 'zod';

/** The name of a secret, and of the variable that a run finds it in. Ours begin with UNDERSTUDY_. */
export const secretNameSchema = z
  .string()
  .regex(
    /^(?!UNDERSTUDY_)[A-Za-z_][A-Za-z0-9_]{0,127}$/,
    'expected the form of a variable name that does not begin with UNDERSTUDY_',
  );

/** What a job says of the secrets that its runs are given. */
export const secretNamesSchema = z
  .array(secretNameSchema)
  .max(100)
  .refine((names) => new Set(names).size === names.length, 'a secret is named twice');

/** What is shorter would be found, and hidden, in any output. */
export const SHORTEST_SECRET = 4;
const LONGEST_SECRET = 65_536;

export const secretValueSchema = z.strictObject({
  value: z
    .string()
    .min(SHORTEST_SECRET, `expected ${SHORTEST_SECRET} characters or more`)
    .max(LONGEST_SECRET, `expected ${LONGEST_SECRET} characters at most`)
    .refine((value) => !value.includes('\0'), 'must not contain NUL')
    .refine((value) => value.trim().length >= SHORTEST_SECRET, 'expected more than white space'),
});

/** Which key is to take the place of the pair's present one: its id, never the key itself. */
export const rekeyRequestSchema = z.strictObject({
  keyId: z.string().regex(/^k-[0-9a-f]{16}$/, 'expected the id of a key, like k-0123456789abcdef'),
});

export const rekeyedSchema = z
  .object({
    keyId: z.string().describe('the key with which all is encrypted now'),
    secrets: z.number().int().describe('so many secrets were encrypted anew'),
    hooks: z.number().int().describe('and what signs the notices of so many web hooks'),
  })
  .meta({ id: 'Rekeyed', description: 'What a change of the key came to.' });
export type RekeyedView = Readonly<z.infer<typeof rekeyedSchema>>;

export const secretViewSchema = z
  .object({
    name: secretNameSchema,
    keyId: z.string().describe('the key with which it is encrypted'),
    updatedAt: z.iso.datetime(),
    updatedBy: z.string().describe('the name of the token with which it was stored'),
  })
  .meta({ id: 'Secret', description: 'A stored secret, without its value.' });
export type SecretView = Readonly<z.infer<typeof secretViewSchema>>;
