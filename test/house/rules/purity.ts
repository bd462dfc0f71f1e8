import { lineAt, type SourceFile } from '../source.ts';
import { isPure } from './layers.ts';

const banned: readonly (readonly [string, RegExp])[] = [
  ['a clock', /\bDate\.now\b|\bnew Date\s*\(\s*\)|\bhrtime\b|\bperformance\b|\bsystemClock\b/g],
  [
    'a timer',
    /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bnextTick\b|\bAbortSignal\b/g,
  ],
  ['a promise', /\bPromise\b|\basync\b|\bawait\b|\.then\s*\(/g],
  ['chance', /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/g],
  ['the process', /\bprocess\.|\bglobalThis\b|\bfetch\s*\(/g],
];

/** What makes a file of a pure folder impure. `now`, chance and settings come in as arguments. */
export function purityFaults(file: SourceFile): string[] {
  if (!isPure(file.path) && !file.path.startsWith('shared/protocol/')) return [];
  return banned.flatMap(([what, pattern]) =>
    Array.from(
      file.code.matchAll(pattern),
      (match) => `${file.path}:${lineAt(file.code, match.index)} uses ${what}: ${match[0]}`,
    ),
  );
}
