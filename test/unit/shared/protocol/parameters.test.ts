import {
  givenParametersSchema,
  neededParameters,
  parameterDefinitionsSchema,
  resolveParameters,
} from '@understudy/shared/protocol/parameters';
import test from 'ava';

const definitions = parameterDefinitionsSchema.parse({
  DAY: { required: true },
  COUNT: { type: 'integer', default: 3 },
  RATE: { type: 'number', values: [0.5, 1, 2] },
  DRY: { type: 'boolean', default: false },
});
const resolve = (given: object) =>
  resolveParameters(definitions, givenParametersSchema.parse(given));

test('a run gets what was given as text, and defaults for the rest', (t) => {
  t.deepEqual(resolve({ DAY: 'Monday', COUNT: 7, RATE: '2.0', DRY: true }), {
    parameters: { DAY: 'Monday', COUNT: '7', RATE: '2', DRY: 'true' },
  });
  t.deepEqual(resolve({ DAY: '' }), { parameters: { DAY: '', COUNT: '3', DRY: 'false' } });
});

test('all that is wrong is named: unknown, missing, of another type, not among the values', (t) => {
  const resolved = resolve({ COUNT: '1.5', RATE: 3, DRY: 'yes', MORE: 'x' });
  const wrong = 'wrong' in resolved ? resolved.wrong : [];
  t.deepEqual(
    wrong.map(({ field, value }) => [field, value]),
    [
      ['parameters.MORE', 'x'],
      ['parameters.DAY', 'nothing'],
      ['parameters.COUNT', '1.5'],
      ['parameters.RATE', '3'],
      ['parameters.DRY', 'yes'],
    ],
  );
  t.is(wrong[3]?.expected, 'one of 0.5, 1, 2');
});

test('a job without definitions takes what is given', (t) => {
  t.deepEqual(resolveParameters(null, { ANY: 'x' }), { parameters: { ANY: 'x' } });
});

test('a definition whose default or values do not fit is refused', (t) => {
  const issueOf = (definition: object) =>
    parameterDefinitionsSchema.safeParse({ A: definition }).error?.issues[0]?.path;
  t.deepEqual(issueOf({ type: 'integer', default: 'many' }), ['A', 'default']);
  t.deepEqual(issueOf({ values: ['a', 'b'], default: 'c' }), ['A', 'default']);
  t.deepEqual(issueOf({ type: 'boolean', values: [true, 'maybe'] }), ['A', 'values', 1]);
  t.is(issueOf({ type: 'number', values: ['1e3', 2], default: 1_000 }), undefined);
});

test('what has no default and is required has to be given each time', (t) => {
  t.deepEqual(neededParameters(definitions), ['DAY']);
  t.deepEqual(neededParameters(null), []);
});
