import { z } from 'zod';
import { text } from './forms.ts';

/** What a job says of a parameter of its runs. A run has it as text, as an environment has it. */
export interface ParameterDefinition {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly default: ParameterValue | null;
  /** A run without a value is refused, unless there is a default. */
  readonly required: boolean;
  /** If not null, nothing else is taken. */
  readonly values: readonly ParameterValue[] | null;
  readonly description: string;
}

export type ParameterValue = string | number | boolean;
export type ParameterDefinitions = Readonly<Record<string, ParameterDefinition>>;

/** A parameter that is not as the job says. */
export interface WrongParameter {
  readonly field: string;
  readonly value: unknown;
  readonly expected: string;
}

export const parameterNameSchema = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected the form of a variable name');

const valueSchema = z.union([text(65_536), z.number(), z.boolean()]);

/** What somebody who asks for a run gives. Parsed, all of it is text. */
export const givenParametersSchema = z.record(parameterNameSchema, valueSchema.transform(String));

const definitionSchema = z
  .strictObject({
    type: z.enum(['string', 'integer', 'number', 'boolean']).default('string'),
    default: valueSchema.nullable().default(null),
    required: z.boolean().default(false),
    values: z.array(valueSchema).min(1).max(1_000).nullable().default(null),
    description: text(1_000).default(''),
  })
  .superRefine((definition, context) => {
    const ofType = { ...definition, values: null };
    for (const [index, value] of (definition.values ?? []).entries()) {
      if (parameterText(ofType, value) !== null) continue;
      const message = `expected ${describeParameter(ofType)}`;
      context.addIssue({ code: 'custom', path: ['values', index], message });
    }
    if (definition.default === null || parameterText(definition, definition.default) !== null)
      return;
    const message = `expected ${describeParameter(definition)}`;
    context.addIssue({ code: 'custom', path: ['default'], message });
  });

/** A job without definitions takes any parameter. */
export const parameterDefinitionsSchema = z.record(parameterNameSchema, definitionSchema);

/** The parameters of a run: what was given, checked and completed by defaults; or all that is wrong with it. */
export function resolveParameters(
  definitions: ParameterDefinitions | null,
  given: Readonly<Record<string, string>>,
): { readonly parameters: Record<string, string> } | { readonly wrong: readonly WrongParameter[] } {
  if (definitions === null) return { parameters: { ...given } };
  const found: [name: string, value: string][] = [];
  const wrong: WrongParameter[] = Object.keys(given)
    .filter((name) => !Object.hasOwn(definitions, name))
    .map((name) => wrongParameter(name, given[name], `no parameter but ${namesOf(definitions)}`));
  for (const [name, definition] of Object.entries(definitions)) {
    const isGiven = Object.hasOwn(given, name);
    const value = (isGiven ? given[name] : definition.default) ?? null;
    if (value === null && !definition.required) continue;
    const written = value === null ? null : parameterText(definition, value);
    if (written !== null) found.push([name, written]);
    else wrong.push(wrongParameter(name, value ?? 'nothing', describeParameter(definition)));
  }
  return wrong.length > 0 ? { wrong } : { parameters: Object.fromEntries(found) };
}

/** Names of parameters that a run needs to be given. */
export function neededParameters(definitions: ParameterDefinitions | null): string[] {
  return Object.entries(definitions ?? {})
    .filter(([, { required, default: value }]) => required && value === null)
    .map(([name]) => name);
}

/** A value as text, in the one way in which a value of its type is written; null: it is none. */
function parameterText(
  { type, values }: Pick<ParameterDefinition, 'type' | 'values'>,
  value: ParameterValue,
): string | null {
  const found = textOf(type, value);
  if (found === null || values === null) return found;
  return values.some((each) => textOf(type, each) === found) ? found : null;
}

function textOf(type: ParameterDefinition['type'], value: ParameterValue): string | null {
  const written = String(value);
  switch (type) {
    case 'string':
      return written;
    case 'boolean':
      return written === 'true' || written === 'false' ? written : null;
    case 'integer':
      return /^[+-]?\d{1,16}$/.test(written) && Number.isSafeInteger(Number(written))
        ? String(Number(written))
        : null;
    case 'number':
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(written) &&
        Number.isFinite(Number(written))
        ? String(Number(written))
        : null;
  }
}

function describeParameter({ type, values }: Pick<ParameterDefinition, 'type' | 'values'>): string {
  if (values !== null) return `one of ${values.join(', ')}`.slice(0, 200);
  return {
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  }[type];
}

function namesOf(definitions: ParameterDefinitions): string {
  return Object.keys(definitions).join(', ').slice(0, 200) || 'none at all';
}

function wrongParameter(name: string, value: unknown, expected: string): WrongParameter {
  return { field: `parameters.${name}`, value, expected };
}
