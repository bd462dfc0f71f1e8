/**
 * Users on a host of their own, as a process: `node user-main.js OPTIONS`, with the options of a load as JSON. Writes a
 * line of JSON for each request when it is over, and ends, once all are, after SIGTERM.
 */
import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { type LoadOptions, startLoad } from '../load/load.ts';

endIfOrphaned();
const options = JSON.parse(process.argv[2] ?? '') as Omit<LoadOptions, 'onDone'>;
const load = startLoad({
  ...options,
  onDone: (sent) => process.stdout.write(`${JSON.stringify(sent)}\n`),
});
process.once('SIGTERM', () => void load.stop());
