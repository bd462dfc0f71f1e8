import { formatTerm, MAX_TERM, maxTerm, parseTerm } from '@understudy/shared/kernel/term';
import { heardTermSchema, termSchema } from '@understudy/shared/protocol/tenure';
import test from 'ava';
import fc from 'fast-check';

const terms = fc.bigInt({ min: 0n, max: MAX_TERM });

test('F94: a term comes through text as it is, also far above 2^53', (t) => {
  fc.assert(fc.property(terms, (term) => parseTerm(formatTerm(term)) === term));
  for (const term of [2n ** 53n, 2n ** 53n + 1n, 2n ** 61n + 1n, MAX_TERM - 1n, MAX_TERM]) {
    t.is(parseTerm(formatTerm(term)), term);
    t.is(termSchema.parse(formatTerm(term)), term);
  }
});

test('F94: terms are ordered as numbers, never as texts', (t) => {
  t.true((parseTerm('10') ?? 0n) > (parseTerm('9') ?? 0n));
  t.is(maxTerm(10n, 9n), 10n);
  fc.assert(
    fc.property(terms, terms, (a, b) => {
      const [readA, readB] = [parseTerm(formatTerm(a)), parseTerm(formatTerm(b))];
      if (readA === null || readB === null) return false;
      return readA < readB === a < b && maxTerm(a, b) === (a < b ? b : a);
    }),
  );
  t.not(parseTerm('9007199254740993'), parseTerm('9007199254740992'));
});

test('F94: a term above 2^62 is refused, and the highest one leaves room for a claim', (t) => {
  t.is(parseTerm(formatTerm(MAX_TERM + 1n)), null);
  t.true(MAX_TERM + 1n < 2n ** 63n);
  fc.assert(
    fc.property(fc.bigInt({ min: MAX_TERM + 1n, max: 2n ** 200n }), (term) => {
      return parseTerm(formatTerm(term)) === null && !termSchema.safeParse(`${term}`).success;
    }),
  );
});

test('F94: what is no whole number in decimal text is no term', (t) => {
  const odd = [
    '',
    ' ',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x10',
    '1n',
    ' 1',
    '1 ',
    '1\n',
    '\u0663',
    '1_000',
    'NaN',
  ];
  for (const text of odd) {
    t.is(parseTerm(text), null, JSON.stringify(text));
    t.false(termSchema.safeParse(text).success);
  }
  for (const value of [1, 1n, null, undefined, true, ['1'], { term: '1' }]) {
    t.false(termSchema.safeParse(value).success);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const term = parseTerm(text);
      return /^[0-9]{1,19}$/.test(text) ? term === null || term <= MAX_TERM : term === null;
    }),
  );
});

test('F94: whatever term somebody claims to have seen, the next claims above it are believed', (t) => {
  fc.assert(
    fc.property(terms, (term) => {
      const next = heardTermSchema.parse(formatTerm(term)) + 1n;
      return parseTerm(formatTerm(next)) === next;
    }),
  );
  const next = heardTermSchema.parse(formatTerm(MAX_TERM)) + 1_000_000n;
  t.is(parseTerm(formatTerm(next)), next);
  // Who has seen such a claim is still taken for what it is: not ahead of it.
  t.true(heardTermSchema.parse(formatTerm(next)) <= next);
});
