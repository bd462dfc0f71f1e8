const MOST_SHOWN = 200;

/** A value as an error message shows it: on one line, and never longer than can be read. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text;
}
