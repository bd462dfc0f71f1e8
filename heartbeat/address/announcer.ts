import { findProgram, killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';

/** One takes a second: it waits for those who know better. */
const WITHIN_MS = 3_000;

/** Runs a command to its end. Null: all went well; else what went wrong. Never rejects. */
export function runAnnouncement(
  [name = '', ...args]: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  return new Promise((resolve) => {
    try {
      const child = spawnTied([findProgram(name), ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const end = () => {
        if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
      };
      const limit = setTimeout(end, WITHIN_MS);
      signal.addEventListener('abort', end, { once: true });
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      child.on('error', (error) => resolve(`${name}: ${messageOf(error)}`));
      child.on('close', (code, killedBy) => {
        clearTimeout(limit);
        signal.removeEventListener('abort', end);
        if (code === 0 || signal.aborted) return resolve(null);
        const lines = said.trim().split('\n').slice(0, 3).join('; ');
        resolve(`${name}: ${lines || `exit ${code ?? killedBy}`}`);
      });
    } catch (error) {
      resolve(`${name}: it could not be started: ${messageOf(error)}`);
    }
  });
}
