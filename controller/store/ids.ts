const LATEST_MS = 2 ** 48 - 1;

/** The lowest id (UUID version 7) of an instant. */
export function idAt(ms: number): string {
  const time = Math.min(LATEST_MS, Math.max(0, Math.floor(ms)))
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

/** The instant at which an id was made, to the millisecond. */
export function instantOf(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16);
}
