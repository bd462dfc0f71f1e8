/** No known name is so long, and comparing takes the longer the longer a name is. */
const MOST_LETTERS = 60;

/**
 * The known name that a mistyped one most likely stands for: a small edit away, or the same last part
 * in another section. Null when nothing is near.
 */
export function suggestName(name: string, known: readonly string[]): string | null {
  const lastPart = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  const sameEnd = known.find((each) => each.toLowerCase().split('.').at(-1) === lastPart);
  if (sameEnd !== undefined) return sameEnd;
  if (name.length > MOST_LETTERS) return null;
  const [nearest] = known
    .map((each) => ({ each, edits: editDistance(name.toLowerCase(), each.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const allowed = Math.max(2, Math.floor(name.length / 4));
  return nearest !== undefined && nearest.edits <= allowed ? nearest.each : null;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
