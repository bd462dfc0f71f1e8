import {
  type Column,
  columnSql,
  columnValues,
  plainColumn,
  Shared,
  textColumn,
  toJson,
} from '@understudy/controller/store/columns';
import test from 'ava';

test('a column is the text of an array, with NULL where there is nothing', (t) => {
  t.is(plainColumn([]), '{}');
  t.is(plainColumn([1, null, 2]), '{1,NULL,2}');
  t.is(textColumn(['a', null, '', 'NULL']), '{"a",NULL,"","NULL"}');
  t.is(textColumn(['say "so"', 'a\\b']), String.raw`{"say \"so\"","a\\b"}`);
});

test('what PostgreSQL can not hold is replaced: NUL, and half of a surrogate pair', (t) => {
  t.is(textColumn(['a\0b', '\ud800', '😀']), '{"a\ufffdb","\ufffd","😀"}');
  t.is(
    toJson({ a: 'x\0', b: '\udfff', c: '\u0001' }),
    '{"a":"x\ufffd","b":"\ufffd","c":"\\u0001"}',
  );
});

test('values that rows share are sent once', (t) => {
  const shared = new Shared();
  t.deepEqual(
    ['x', 'y', 'x'].map((text) => shared.placeOf(text)),
    [1, 2, 1],
  );
  t.deepEqual(shared.values, ['x', 'y']);
});

test('the parameters go with the SQL, in its order', (t) => {
  type Row = { readonly id: number; readonly at: number | null; readonly spec: string };
  const columns: readonly Column<Row>[] = [
    { name: 'id', type: 'integer', of: ({ id }) => id },
    { name: 'at', type: 'timestamptz', of: ({ at }) => at },
    { name: 'spec', type: 'shared jsonb', of: ({ spec }) => spec },
  ];
  const sql = columnSql(columns, 2);
  t.is(sql.names, 'id, at, spec');
  t.is(sql.values, 'new.id, to_timestamp(new.at / 1000), ($5::jsonb[])[new.spec]');
  const arrays = '$2::integer[], $3::double precision[], $4::integer[]';
  t.is(sql.from, `unnest(${arrays}) as new (id, at, spec)`);
  t.is(sql.assign(['at']), 'at = to_timestamp(new.at / 1000)');
  const rows = [
    { id: 1, at: 1_500.75, spec: '{}' },
    { id: 2, at: null, spec: '{}' },
  ];
  t.deepEqual(columnValues(columns, rows), ['{1,2}', '{1500,NULL}', '{1,1}', '{"{}"}']);
});
