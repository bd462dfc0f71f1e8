export type Filled =
  | { readonly type: 'filled'; readonly text: string }
  | { readonly type: 'missing'; readonly name: string };

/**
 * Puts values where a text has `${NAME}`; `$${` stands for `${` itself. `encode` makes a value fit to
 * where it stands.
 */
export function fillIn(
  text: string,
  values: Readonly<Record<string, string>>,
  encode: (value: string) => string = (value) => value,
): Filled {
  let missing: string | null = null;
  const filled = text.replaceAll(/\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?/g, (found, name) => {
    if (found.startsWith('$$')) return found.slice(1);
    if (name === undefined) return found;
    if (!Object.hasOwn(values, name as string)) missing ??= name as string;
    return encode(values[name as string] ?? '');
  });
  return missing === null ? { type: 'filled', text: filled } : { type: 'missing', name: missing };
}
