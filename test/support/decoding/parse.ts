/** One changed row, as the `test_decoding` plug-in tells it. */
export interface RowChange {
  readonly schema: string;
  readonly table: string;
  readonly op: 'insert' | 'update' | 'delete' | 'truncate';
  /** The new row as text, null for SQL's null; of a deleted row its key. */
  readonly columns: Readonly<Record<string, string | null>>;
}

/**
 * Parses one line of `test_decoding`, such as
 * `table public.run: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:1 state[text]:'lost'`.
 * Null for `BEGIN` and `COMMIT`. Throws on anything else it does not understand.
 */
export function parseChange(line: string): RowChange | null {
  if (/^(BEGIN|COMMIT)\b/.test(line)) return null;
  const head =
    /^table ((?:"(?:[^"]|"")*"|[^".:]+))\.((?:"(?:[^"]|"")*"|[^".:]+)): (INSERT|UPDATE|DELETE|TRUNCATE):/.exec(
      line,
    );
  if (head === null) throw new Error(`not a line of test_decoding: ${line}`);
  const [whole, schema = '', table = '', op = ''] = head;
  return {
    schema: unquote(schema),
    table: unquote(table),
    op: op.toLowerCase() as RowChange['op'],
    columns: op === 'TRUNCATE' ? {} : parseColumns(line.slice(whole.length)),
  };
}

// name[type]:value, the name perhaps quoted, the type perhaps with brackets of its own.
const COLUMN = /^ ("(?:[^"]|"")*"|[^ [\]]+)\[((?:[^[\]]|\[\])*)\]:/;
const VALUE = /^(?:[BX]?'((?:[^']|'')*)'|([^ ]+))/;

function parseColumns(text: string): Record<string, string | null> {
  const columns: Record<string, string | null> = {};
  let rest = text;
  while (rest !== '' && rest !== ' (no-tuple-data)') {
    const marker = /^ (old-key|new-tuple):/.exec(rest);
    if (marker !== null) {
      rest = rest.slice(marker[0].length);
      continue;
    }
    const column = COLUMN.exec(rest);
    const value = column === null ? null : VALUE.exec(rest.slice(column[0].length));
    if (column === null || value === null) throw new Error(`not a column: ${rest}`);
    const [, name = ''] = column;
    const [, quoted, bare = ''] = value;
    // A long value that did not change is not in the log; what was read of the old key stays.
    if (bare !== 'unchanged-toast-datum') {
      columns[unquote(name)] = quoted?.replaceAll("''", "'") ?? (bare === 'null' ? null : bare);
    }
    rest = rest.slice(column[0].length + value[0].length);
  }
  return columns;
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
