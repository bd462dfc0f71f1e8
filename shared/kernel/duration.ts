const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Parses `250ms`, `2s`, `1.5s`, `10m`, `1h`, `7d` into milliseconds; null when it is none of these. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return null;
  const [, amount, unit] = match;
  const ms = Number(amount) * UNITS[unit as keyof typeof UNITS];
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : null;
}

/** Formats milliseconds with the largest unit that divides them: 2000 is `2s`, 1500 is `1500ms`. */
export function formatDurationMs(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms !== 0 && ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
