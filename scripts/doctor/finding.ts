/** One thing that was looked at. A `problem` keeps this host from doing its part, a `warning` may do so one day. */
export interface Finding {
  /** What was looked at, in one or two words. */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  readonly text: string;
  /** What to do about it; null where nothing is to be done. */
  readonly advice: string | null;
}

/** One look, for a limited time. Whatever it throws is a problem of its own. */
export interface Check {
  readonly name: string;
  look(signal: AbortSignal): Promise<readonly Finding[]> | readonly Finding[];
}

export function ok(check: string, text: string): Finding {
  return { check, level: 'ok', text, advice: null };
}

export function warning(check: string, text: string, advice: string): Finding {
  return { check, level: 'warning', text, advice };
}

export function problem(check: string, text: string, advice: string): Finding {
  return { check, level: 'problem', text, advice };
}
