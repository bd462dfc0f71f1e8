import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fleet } from '../agents/fleet.ts';
import type { Figure } from '../figures.ts';
import { type Measure, onStage, type WorkOptions } from '../measure.ts';
import { levelMb, type MemorySample, risesAnHour } from '../memory/rise.ts';
import { residentMb } from '../processor-time.ts';
import { putJob, type Stage, submitBulk, untilConnected, untilDone } from '../stage.ts';

const JOB = 'empty';
const SLOTS = 500;
const SAMPLE_EVERY_MS = 1_000;
const WARM_UP_MS = 60_000;
/** Memory counts as level when it rises by no more than this part of itself in an hour. */
const LEVEL = 0.1;

const MB = 1024 * 1024;

/** The controller's memory under a steady load: how large it is, and how it rises. An hour tells; minutes tell of large leaks only. */
export const memory: Measure = {
  name: 'memory',
  title: 'the memory of the controller under load',
  isOnlyIfAsked: true,
  play: async (options) => {
    const folder = mkdtempSync(join(tmpdir(), 'understudy-memory-'));
    const heap = join(folder, 'heap');
    const witness = new URL('../memory/heap-witness.js', import.meta.url);
    const environment = { NODE_OPTIONS: `--import=${witness.href}`, BENCH_HEAP: heap };
    try {
      return await onStage(options, { agents: 0, environment, target: '15s' }, (stage) =>
        watch(options, stage, heap),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function watch(options: WorkOptions, stage: Stage, heap: string): Promise<Figure[]> {
  const { token, controllerPorts: ports } = stage;
  const pid = stage.active.controllerPid;
  const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: SLOTS });
  const resident: MemorySample[] = [];
  let sampler: NodeJS.Timeout | undefined;
  try {
    await untilConnected(stage, 1);
    await putJob(stage, JOB, { command: ['true'] });
    await load(stage, options.rate, WARM_UP_MS);
    const beganAt = performance.now();
    const known = heapSamples(heap, pid).length;
    sampler = setInterval(() => {
      resident.push({ atMs: performance.now() - beganAt, mb: residentMb(pid) });
    }, SAMPLE_EVERY_MS);
    const runs = await load(stage, options.rate, options.minutes * 60_000);
    if (residentMb(pid) === 0) throw new Error(`controller ${pid} has ended: it was not watched`);
    const collected = heapSamples(heap, pid).slice(known);
    options.say(`resident MB: ${resident.map(({ mb }) => Math.round(mb)).join(' ')}`);
    options.say(`heap MB: ${collected.map(({ mb }) => mb.toFixed(1)).join(' ')}`);
    return [
      ...figures('heap after a full collection', collected),
      ...figures('resident memory', resident),
      { measure: 'memory', title: 'runs in that time', unit: 'runs', values: [runs] },
    ];
  } finally {
    clearInterval(sampler);
    await fleet.stop();
  }
}

/** So many runs a second, for so long. Gives how many it were. */
async function load(stage: Stage, rate: number, forMs: number): Promise<number> {
  const beganAt = performance.now();
  let runs = 0;
  while (performance.now() - beganAt < forMs) {
    await submitBulk(stage, JOB, rate);
    await untilDone(stage, 60_000);
    runs += rate;
    await delay(Math.max(0, beganAt + (runs / rate) * 1_000 - performance.now()));
  }
  return runs;
}

function figures(what: string, samples: readonly MemorySample[]): Figure[] {
  const measure = 'memory';
  const rise = { title: `${what}: rise an hour`, unit: 'MB', values: risesAnHour(samples) };
  return [
    {
      measure,
      title: `${what} of the controller`,
      unit: 'MB',
      values: samples.map(({ mb }) => mb),
    },
    { measure, ...rise, target: { atMost: LEVEL * levelMb(samples) } },
  ];
}

function heapSamples(file: string, pid: number): MemorySample[] {
  const path = `${file}.${pid}`;
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [atMs, bytes] = line.split(' ').map(Number);
    return { atMs: atMs ?? Number.NaN, mb: (bytes ?? Number.NaN) / MB };
  });
}
