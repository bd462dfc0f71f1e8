/**
 * Rows as columns: one array for each column, which the statement puts side by side with `unnest`. Of the
 * ways to hand many rows to PostgreSQL in one statement this costs either side the least.
 */

/** A column as the text of an array, to be cast to its type. Values need no quotes: numbers, uuids. */
export function plainColumn(values: readonly (string | number | null)[]): string {
  let text = '{';
  for (const value of values) text += text.length === 1 ? (value ?? 'NULL') : `,${value ?? 'NULL'}`;
  return `${text}}`;
}

/** The same for texts of any kind. */
export function textColumn(values: readonly (string | null)[]): string {
  let text = '{';
  for (const value of values) {
    if (text.length > 1) text += ',';
    text += value === null ? 'NULL' : `"${escaped(storable(value))}"`;
  }
  return `${text}}`;
}

/** The same for JSON, of texts that `toJson` made. */
export function jsonColumn(values: readonly (string | null)[]): string {
  let text = '{';
  for (const value of values) {
    if (text.length > 1) text += ',';
    text += value === null ? 'NULL' : `"${escaped(value)}"`;
  }
  return `${text}}`;
}

/** As JSON that PostgreSQL takes: it has no NUL in texts, and no half of a surrogate pair. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value);
  // Either appears as an escape; most texts have none.
  if (!text.includes('\\u')) return text;
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'string' ? storable(each) : each,
  );
}

/** Values that many rows share, each sent once: rows name them by their place, from 1. */
export class Shared {
  readonly #places = new Map<string, number>();

  placeOf(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.#places.size + 1);
    return this.#places.size;
  }

  get values(): string[] {
    return [...this.#places.keys()];
  }
}

const UNSTORABLE = /[\0\p{Surrogate}]/u;
const ALL_UNSTORABLE = /[\0\p{Surrogate}]/gu;

function storable(text: string): string {
  return UNSTORABLE.test(text) ? text.replaceAll(ALL_UNSTORABLE, '\ufffd') : text;
}

const SPECIAL = /[\\"]/;

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replaceAll(/[\\"]/g, '\\$&') : text;
}

/** A column of a statement, and what a row has in it. */
export type Column<Row> =
  | {
      readonly name: string;
      readonly type: 'uuid' | 'integer' | 'bigint' | 'double precision';
      readonly of: (row: Row) => string | number | null;
    }
  | {
      readonly name: string;
      readonly type: 'text';
      readonly of: (row: Row) => string | null;
    }
  /** Milliseconds since 1970. */
  | {
      readonly name: string;
      readonly type: 'timestamptz';
      readonly of: (row: Row) => number | null;
    }
  | {
      readonly name: string;
      readonly type: 'jsonb';
      readonly of: (row: Row) => unknown;
    }
  /** Values that many rows have in common, as JSON already. */
  | {
      readonly name: string;
      readonly type: 'shared jsonb';
      readonly of: (row: Row) => string;
    };

/** How a set of columns is written in SQL. */
export interface ColumnSql {
  /** The names, as a list. */
  readonly names: string;
  /** `unnest(...) as new (...)`. */
  readonly from: string;
  /** What each column holds, as a list in the order of the names. */
  readonly values: string;
  /** `name = value` for each of some columns. */
  assign(names: readonly string[]): string;
}

/** The SQL for columns whose arrays are the parameters of a statement from `$first` on. */
export function columnSql<Row>(columns: readonly Column<Row>[], first: number): ColumnSql {
  const arrays: string[] = [];
  const expressions = new Map<string, string>();
  let next = first;
  for (const { name, type } of columns) {
    arrays.push(`$${next}::${arrayTypes[type]}[]`);
    next += 1;
    if (type === 'shared jsonb') expressions.set(name, `($${next++}::jsonb[])[new.${name}]`);
    else if (type === 'timestamptz') expressions.set(name, `to_timestamp(new.${name} / 1000)`);
    else expressions.set(name, `new.${name}`);
  }
  const names = columns.map(({ name }) => name).join(', ');
  return {
    names,
    from: `unnest(${arrays.join(', ')}) as new (${names})`,
    values: [...expressions.values()].join(', '),
    assign: (some) => some.map((name) => `${name} = ${expressions.get(name)}`).join(', '),
  };
}

/** The parameters that go with `columnSql`. */
export function columnValues<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  return columns.flatMap((column) => {
    switch (column.type) {
      case 'text':
        return [textColumn(rows.map(column.of))];
      case 'jsonb':
        return [jsonColumn(rows.map((row) => toJson(column.of(row))))];
      case 'shared jsonb': {
        const shared = new Shared();
        const places = plainColumn(rows.map((row) => shared.placeOf(column.of(row))));
        return [places, jsonColumn(shared.values)];
      }
      case 'timestamptz':
        return [plainColumn(rows.map((row) => wholeMs(column.of(row))))];
      default:
        return [plainColumn(rows.map(column.of))];
    }
  });
}

function wholeMs(ms: number | null): number | null {
  return ms === null ? null : Math.floor(ms);
}

const arrayTypes = {
  uuid: 'uuid',
  integer: 'integer',
  bigint: 'bigint',
  'double precision': 'double precision',
  text: 'text',
  timestamptz: 'double precision',
  jsonb: 'jsonb',
  'shared jsonb': 'integer',
} as const satisfies Record<Column<never>['type'], string>;
