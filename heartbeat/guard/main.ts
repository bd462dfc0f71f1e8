import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import { Guard } from './guard.ts';

/**
 * The guard of a wrapped program: a small process that stands where the built-in controller would stand.
 * It is tied to the heartbeat's life by the kernel, and kills the program, with its whole process group,
 * when the tenure ends, whatever the heartbeat does.
 */
endIfOrphaned();
const guard = new Guard((message) => {
  process.send?.(message);
});
process.on('message', (message) => guard.hear(message));
process.on('disconnect', () => guard.killGroup());
process.on('SIGTERM', () => guard.deactivate(0));
process.on('uncaughtException', (error) => {
  process.stderr.write(`the guard ends because of a defect: ${messageOf(error)}\n`);
  guard.killGroup();
});
