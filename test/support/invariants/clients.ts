/** Invariants over what users of the pair saw. */

/** One request of a client, with the outcome of each try, in order. */
export interface ClientRequest {
  readonly request: string;
  readonly tries: readonly ('answered' | 'refused' | 'broken')[];
}

/** I12: in a planned change every request succeeds, with one repetition at most. */
export function interruptedRequests(requests: readonly ClientRequest[]): string[] {
  return requests
    .filter(({ tries }) => !tries.slice(0, 2).includes('answered'))
    .map(({ request, tries }) => `I12: ${request} failed: ${tries.join(', ') || 'never tried'}`);
}
