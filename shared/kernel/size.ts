const units = { b: 1, kb: 1_024, mb: 1_024 ** 2, gb: 1_024 ** 3 } as const;

const form = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/i;

/** Reads a size like `512kb`, `16mb` or `1gb` (of 1,024 each) as bytes; null when it is none. */
export function parseSizeBytes(text: string): number | null {
  const match = form.exec(text);
  if (match === null) return null;
  const unit = (match[2] ?? '').toLowerCase() as keyof typeof units;
  const bytes = Number(match[1]) * units[unit];
  return Number.isInteger(bytes) ? bytes : null;
}

/** Writes bytes with the largest unit that keeps them whole. */
export function formatSizeBytes(bytes: number): string {
  for (const unit of ['gb', 'mb', 'kb'] as const) {
    if (bytes > 0 && bytes % units[unit] === 0) return `${bytes / units[unit]}${unit}`;
  }
  return `${bytes}b`;
}
