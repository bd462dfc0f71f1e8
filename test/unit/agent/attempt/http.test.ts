import { isExpected } from '@understudy/agent/attempt/expected';
import { fillIn } from '@understudy/agent/attempt/fill-in';
import test from 'ava';

test('an answer is expected by its code or by a range', (t) => {
  t.true(isExpected(204, ['200-299']));
  t.false(isExpected(300, ['200-299']));
  t.true(isExpected(404, ['200-299', 404]));
  t.false(isExpected(500, [404]));
});

const open = '$' + '{';

test('values stand where their names stood, and a missing one is named', (t) => {
  const values = { NAME: 'a b', EMPTY: '' };
  t.deepEqual(fillIn(`<${open}NAME}${open}EMPTY}>`, values), { type: 'filled', text: '<a b>' });
  t.deepEqual(fillIn(`/${open}NAME}`, values, encodeURIComponent), {
    type: 'filled',
    text: '/a%20b',
  });
  t.deepEqual(fillIn(`${open}OTHER}`, values), { type: 'missing', name: 'OTHER' });
  t.deepEqual(fillIn(`${open}constructor}`, values), { type: 'missing', name: 'constructor' });
});

test('what is no name stays, and a doubled sign stands for itself', (t) => {
  const values = { NAME: 'x' };
  t.deepEqual(fillIn(`$${open}NAME} ${open}} $5`, values), {
    type: 'filled',
    text: `${open}NAME} ${open}} $5`,
  });
  t.deepEqual(fillIn(`${open}NAME}`, { NAME: '$&' }), { type: 'filled', text: '$&' });
});
