import { Masker, maskText } from '@understudy/controller/security/mask';
import test from 'ava';
import fc from 'fast-check';

const fresh = (values: readonly string[]) => new Masker(values, { tail: Buffer.alloc(0), at: 0 });

/** What is stored in the end of an output that came in these pieces. */
function stored(values: readonly string[], pieces: readonly string[]): string {
  const masker = fresh(values);
  let all = Buffer.alloc(0);
  for (const piece of pieces) {
    const { data, before } = masker.take(Buffer.from(piece));
    all = Buffer.concat([all, data]);
    for (const { from, to } of before) all.fill('*', from, to);
  }
  return all.toString();
}

test('a value is hidden byte by byte, so that places in the output stay what they are', (t) => {
  t.is(stored(['hunter2'], ['the password is hunter2, yes\n']), 'the password is *******, yes\n');
  t.is(stored(['hunter2'], ['hunter2hunter2 hunter']), '************** hunter');
  t.is(stored([], ['as it is']), 'as it is');
});

test('F125: a value that is cut into pieces is hidden in all of them', (t) => {
  t.is(stored(['hunter2'], ['a hun', 'ter2 b']), 'a ******* b');
  t.is(stored(['hunter2'], [...'a hunter2 b']), 'a ******* b');
  t.is(stored(['hunter2'], ['a hunter', ' 2']), 'a hunter 2');
});

test('F125: however an output is cut, no value is left in it, and all else is', (t) => {
  const word = fc.constantFrom(
    'hunter2',
    'swordfish',
    'hunter',
    ' ',
    'x',
    'er2',
    'sword',
    '\n',
    '2',
  );
  fc.assert(
    fc.property(fc.array(word), fc.array(fc.nat(40)), (words, cuts) => {
      const text = words.join('');
      const pieces: string[] = [];
      let rest = text;
      for (const cut of cuts) {
        pieces.push(rest.slice(0, cut));
        rest = rest.slice(cut);
      }
      const values = ['hunter2', 'swordfish'];
      const expected = text
        .replaceAll('hunter2', '*'.repeat(7))
        .replaceAll('swordfish', '*'.repeat(9));
      t.is(stored(values, [...pieces, rest]), expected);
    }),
  );
});

test('values that overlap are all hidden', (t) => {
  t.is(stored(['abcdef', 'defghi'], ['abcdefghi']), '*********');
  t.is(stored(['abcd', 'abcdefgh'], ['abcdefgh abcd']), '******** ****');
});

test('a value of many lines is hidden as a whole, by its long lines, and as JSON writes it', (t) => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nab\n-----END KEY-----\n';
  t.is(stored([key], [`> ${key}`]), `> ${'*'.repeat(key.length)}`);
  t.is(stored([key], ['[log] MIIEvQIBADANBg\n[log] ab\n']), '[log] **************\n[log] ab\n');
  t.false(stored([key], [JSON.stringify({ key })]).includes('MIIE'));
});

test('what an earlier controller stored is known: a value that began there is hidden there', (t) => {
  const masker = new Masker(['hunter2'], { tail: Buffer.from('s hun'), at: 105 });
  const { data, before } = masker.take(Buffer.from('ter2 b'));
  t.is(data.toString(), '**** b');
  t.deepEqual(before, [{ from: 102, to: 105 }]);
  t.is(masker.at, 111);
});

test('a text has no value in it, nor its length', (t) => {
  t.is(maskText('exit 1: bad password hunter2', ['hunter2']), 'exit 1: bad password ****');
});
