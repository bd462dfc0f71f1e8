import { appendFileSync } from 'node:fs';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into a controller before anything else (`--import`): notes how large its heap is after each full
 * collection, in the file that `BENCH_HEAP` names with the process behind it. What is left then is in use; how much
 * memory a process holds says more of when V8 gave some back.
 */
const file = process.env['BENCH_HEAP'];
const isController = process.argv[1]?.endsWith('controller/dist/main.js') === true;

if (file !== undefined && isController && isMainThread) {
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isFullCollection)) return;
    const line = `${Math.round(performance.now())} ${process.memoryUsage().heapUsed}\n`;
    appendFileSync(`${file}.${process.pid}`, line);
  });
  observer.observe({ entryTypes: ['gc'] });
}

function isFullCollection(entry: PerformanceEntry & { readonly detail?: unknown }): boolean {
  const { kind } = (entry.detail ?? {}) as { readonly kind?: unknown };
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
