import { parentPort, workerData } from 'node:worker_threads';
import type { WatchdogData } from './watchdog.ts';

const { deadline, bell, killWithinMs } = workerData as WatchdogData;
watch(new BigInt64Array(deadline), new Int32Array(bell));

/** Never returns: this thread has nothing else to do. */
function watch(deadlineNs: BigInt64Array, ring: Int32Array): never {
  parentPort?.postMessage('watching');
  Atomics.wait(ring, 0, 0);
  for (;;) {
    const leftNs = Atomics.load(deadlineNs, 0) - process.hrtime.bigint();
    const leftMs = Number(leftNs) / 1e6 + killWithinMs;
    if (leftMs <= 0) process.kill(process.pid, 'SIGKILL');
    // The bell has rung: nobody wakes this wait, it ends by time.
    Atomics.wait(ring, 0, 1, Math.max(1, leftMs));
  }
}
