import { readFileSync } from 'node:fs';

/**
 * Loaded into a process of a test before anything else (`--import`): its clocks are then what the file that
 * `TEST_CLOCK` names says, and change when it changes. Timers still last as long as they do.
 */
export interface ClockShift {
  /** Of the wall clock. */
  readonly wallOffsetMs: number;
  /** Of the monotonic clock. Going back is what a suspended machine sees. */
  readonly monotonicOffsetMs: number;
  /** How fast both clocks run, from this instant of the real monotonic clock on. */
  readonly rate: number;
  readonly sinceNs: string;
}

const none: ClockShift = { wallOffsetMs: 0, monotonicOffsetMs: 0, rate: 1, sinceNs: '0' };
/** How long a reading of the file counts. */
const FRESH_NS = 2_000_000n;

const path = process.env['TEST_CLOCK'];
const realNs = process.hrtime.bigint;
const realWallMs = Date.now;
const realPerformanceMs = performance.now.bind(performance);
let readAtNs = -FRESH_NS;
let shift = none;

if (path !== undefined) install(path);

function install(file: string): void {
  const present = () => {
    const now = realNs();
    if (now - readAtNs >= FRESH_NS) {
      shift = read(file) ?? shift;
      readAtNs = now;
    }
    const gainedMs = (Number(now - BigInt(shift.sinceNs)) * (shift.rate - 1)) / 1e6;
    return { now, gainedMs: shift.rate === 1 ? 0 : gainedMs };
  };
  const monotonicNs = () => {
    const { now, gainedMs } = present();
    return now + BigInt(Math.round((gainedMs + shift.monotonicOffsetMs) * 1e6));
  };
  const wallMs = () => Math.round(realWallMs() + present().gainedMs + shift.wallOffsetMs);
  process.hrtime.bigint = monotonicNs;
  performance.now = () => realPerformanceMs() + present().gainedMs + shift.monotonicOffsetMs;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [wallMs()] : args, newTarget) as Date,
    get: (target, key) => (key === 'now' ? wallMs : (Reflect.get(target, key) as unknown)),
  });
}

/** Null while it is being written. */
function read(file: string): ClockShift | null {
  try {
    return { ...none, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<ClockShift>) };
  } catch {
    return null;
  }
}
