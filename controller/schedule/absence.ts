/** Says of a missed instant why nobody decided about it. Pure. */

export interface AbsenceFacts {
  /** When this controller began to decide. */
  readonly activeSince: number;
  /** The last span in which it could not: what it came to decide about could not be committed. */
  readonly held: { readonly from: number; readonly to: number } | null;
}

export function whyMissed(at: number, { activeSince, held }: AbsenceFacts): string {
  if (at < activeSince) return 'no controller was active, or it could not decide any more';
  if (held !== null && at >= held.from && at <= held.to) {
    return 'the database took no changes, or the role was in doubt';
  }
  return 'the controller came to it too late';
}
