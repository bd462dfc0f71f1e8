import { endIfOrphaned, isOrphaned } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import { Guard } from './guard.ts';

/**
 * The guard of a wrapped program: a small process that stands where the built-in controller would stand.
 * It kills the program, with its whole process group, when the tenure ends or the heartbeat is gone. The
 * kernel tells it of the heartbeat's end by the closed channel and by SIGTERM; a SIGKILL would end the guard
 * and the program alone, and leave what the program started. SIGTERM while the heartbeat lives comes from
 * elsewhere (a service manager signals all it knows) and is not heeded: the heartbeat decides.
 *
 * Not covered by the guard, but by the next heartbeat of this node, which ends what bears the mark of this
 * one (`endPredecessors`): what left the group (setsid); what the program started, when the guard is
 * killed in the same moment as the heartbeat; and all of it while the guard is stopped (SIGSTOP), for signals
 * and timers wait until SIGCONT, upon which it kills at once.
 */
endIfOrphaned();
const guard = new Guard((message) => {
  process.send?.(message);
});
process.on('message', (message) => guard.hear(message));
process.on('disconnect', () => guard.killGroup());
process.on('SIGTERM', () => {
  if (isOrphaned() || !process.connected) guard.killGroup();
});
process.on('uncaughtException', (error) => {
  process.stderr.write(`the guard ends because of a defect: ${messageOf(error)}\n`);
  guard.killGroup();
});
