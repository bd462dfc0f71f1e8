import test from 'ava';
import { parseChange } from '../../support/decoding/parse.ts';
import { stampedChanges } from '../../support/decoding.ts';

test('A line of logical decoding becomes table, operation and columns', (t) => {
  t.deepEqual(
    parseChange(
      "table public.run: INSERT: id[bigint]:7 state[text]:'it''s \"x\": y' at[text]:null",
    ),
    {
      schema: 'public',
      table: 'run',
      op: 'insert',
      columns: { id: '7', state: 'it\'s "x": y', at: null },
    },
  );
});

test('Of an update the new row is kept, and the key of a long value that did not change', (t) => {
  const change = parseChange(
    "table s.run: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 big[text]:unchanged-toast-datum t[timestamp with time zone]:'2026-01-01 00:00:00+00'",
  );
  t.deepEqual(change?.columns, { id: '2', t: '2026-01-01 00:00:00+00' });
});

test('Quoted names, arrays and rows without data are understood', (t) => {
  const change = parseChange('table "my schema"."a.b": UPDATE: "a ""b"""[text[]]:\'{x,"y z"}\'');
  t.is(change?.schema, 'my schema');
  t.is(change?.table, 'a.b');
  t.deepEqual(change?.columns, { 'a "b"': '{x,"y z"}' });
  t.deepEqual(parseChange('table s.run: DELETE: (no-tuple-data)')?.columns, {});
  t.is(parseChange('table s.run: TRUNCATE: (no-flags)')?.op, 'truncate');
});

test('The marks of transactions are no changes', (t) => {
  t.is(parseChange('BEGIN'), null);
  t.is(parseChange('COMMIT'), null);
});

test('Changes that carry a term are stamped, and those of the fence grant', (t) => {
  const change = { xid: '1', schema: 's', op: 'insert' } as const;
  t.deepEqual(
    stampedChanges([
      { ...change, table: 'work', columns: { term: '3' } },
      { ...change, table: 'fence', columns: { term: '1099511627777' } },
      { ...change, table: 'job', columns: { name: 'x' } },
      { ...change, table: 'pair_event', columns: { term: '2' } },
    ]),
    [
      { table: 'work', term: 3n, grants: false },
      { table: 'fence', term: 1099511627777n, grants: true },
    ],
  );
});
