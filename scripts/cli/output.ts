/** Writes a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a value as JSON to standard output. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Lines of a table with aligned columns; nothing but the head when there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** An instant as people read it: `2026-01-31 12:00:00`, UTC. A dash for none. */
export function showInstant(iso: string | null): string {
  return iso === null ? '-' : iso.replace('T', ' ').replace(/(\.\d+)?Z$/, '');
}

/** A term as people read it: grants of the first timeline as a small number, later ones as timeline/grant. */
export function showTerm(text: string | null | undefined): string {
  if (text === null || text === undefined || !/^\d+$/.test(text)) return '-';
  const term = BigInt(text);
  const timeline = term >> 40n;
  const grant = term & ((1n << 40n) - 1n);
  return timeline === 0n ? `${grant}` : `${timeline + 1n}/${grant}`;
}
