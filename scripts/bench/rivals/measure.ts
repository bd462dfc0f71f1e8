import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Prober } from '../prober.ts';
import {
  type Rival,
  type RivalFault,
  type RivalPair,
  rivalFaults,
  until,
  whoAnswers,
} from './rival.ts';

/** What one fault cost a rival, round by round. */
export interface RivalFigure {
  readonly rival: string;
  readonly title: string;
  readonly fault: RivalFault;
  readonly values: readonly number[];
}

export interface RivalOptions {
  readonly times: number;
  readonly say: (line: string) => void;
  /** Who looks for the silence. */
  readonly watch: (pair: RivalPair) => Prober;
  /** What has to be done when the benchmark is broken off. */
  readonly open: Set<() => Promise<void>>;
}

/** A second interruption right after the first one counts as well. */
const AFTERMATH_MS = 500;

/** Does the same to a rival as to our own pair, measured by the same prober. */
export async function measureRival(rival: Rival, options: RivalOptions): Promise<RivalFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-rival-'));
  let pair: RivalPair | null = null;
  const close = async () => {
    await pair?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  options.open.add(close);
  try {
    pair = await rival.start(folder);
    const figures: RivalFigure[] = [];
    for (const fault of rivalFaults) {
      const values: number[] = [];
      for (let round = 1; round <= options.times; round += 1) {
        const silenceMs = Math.round((await play(pair, fault, options.watch)) * 10) / 10;
        values.push(silenceMs);
        options.say(`${rival.title}, ${fault}, ${round} of ${options.times}: ${silenceMs} ms`);
      }
      figures.push({ rival: rival.name, title: rival.title, fault, values });
    }
    return figures;
  } finally {
    await close();
    options.open.delete(close);
  }
}

async function play(
  pair: RivalPair,
  fault: RivalFault,
  watch: RivalOptions['watch'],
): Promise<number> {
  const host = await pair.whole();
  const prober = watch(pair);
  try {
    await prober.warm();
    prober.begin();
    pair.strike(fault, host);
    await until('another host serves', async () => {
      const answers = await Promise.all(pair.targets.map(whoAnswers));
      return answers.find((name) => name !== null && name !== host) ?? null;
    });
    await pair.mend(host);
    await pair.whole();
    await delay(AFTERMATH_MS);
    return prober.longestSilenceMs();
  } finally {
    prober.stop();
  }
}
