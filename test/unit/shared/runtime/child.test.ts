import { spawnTied } from '@understudy/shared/runtime/child';
import test from 'ava';

for (const { what, command } of [
  // Refused before there is a process, as for want of memory.
  { what: 'that the kernel would not even see', command: [process.execPath, 'a\0b'] },
  { what: 'that is not there', command: ['/does/not/exist'] },
]) {
  test(`F35: to start a program ${what} throws nothing, and ends`, async (t) => {
    const child = spawnTied(command, { stdio: ['pipe', 'ignore', 'ignore'] });
    const problems: string[] = [];
    child.on('error', (error) => problems.push(error.message));
    await new Promise((resolve) => {
      child.on('close', resolve);
    });
    t.not(child.exitCode, 0);
    t.is(problems.length, child.pid === undefined ? 1 : 0);
  });
}
