import { spawn } from 'node:child_process';

/** Starts `/bin/true` again and again with pipes, so many at a time, and prints how many a second it were. */
const [count = 1_000, atOnce = 8] = process.argv.slice(2).map(Number);
let left = count;
const startedAt = performance.now();
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (left > 0) {
      left -= 1;
      await new Promise<void>((resolve, reject) => {
        const child = spawn('/bin/true', [], { stdio: ['ignore', 'pipe', 'pipe'] });
        child.stdout.resume();
        child.stderr.resume();
        child.once('error', reject);
        child.once('close', () => resolve());
      });
    }
  }),
);
process.stdout.write(`${(count / (performance.now() - startedAt)) * 1_000}\n`);
