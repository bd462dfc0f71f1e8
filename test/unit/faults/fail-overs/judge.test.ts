import test from 'ava';
import type {
  AttemptFact,
  ChunkFact,
  RunFact,
  StormHistory,
} from '../../../faults/fail-overs/history.ts';
import { judgeStorm } from '../../../faults/fail-overs/judge.ts';
import { linesUntil, type WorkName } from '../../../faults/fail-overs/work.ts';

const asked = (ticket: string, job: WorkName, lines: number, isKeyed = true) => {
  return { ticket, job, isKeyed, lines, everyS: 0.1 };
};
const once = { ...asked('t1', 'module-once', 3), run: 'r1', atMs: 1 };
const again = { ...asked('t2', 'command-again', 2, false), run: 'r2', atMs: 2 };
const run = (id: string, more: Partial<RunFact> = {}): RunFact => {
  const base = { state: 'succeeded', reason: null, agent: 'w1', ends: 1 };
  return id === 'r1'
    ? { id, ...base, job: 'module-once', key: 't1', ticket: 't1', ...more }
    : { id, ...base, job: 'command-again', key: null, ticket: 't2', ...more };
};
const attempt = (id: string, number: number, more: Partial<AttemptFact> = {}): AttemptFact => {
  const logBytes = linesUntil(id, number, id === 'r1' ? 3 : 2).length;
  return { run: id, number, state: 'succeeded', reason: null, agent: 'w1', logBytes, ...more };
};
const chunk = (id: string, number: number, from: number, to?: number): ChunkFact => {
  const whole = Buffer.from(linesUntil(id, number, id === 'r1' ? 3 : 2));
  return { run: id, attempt: number, start: from, data: whole.subarray(from, to) };
};
const start = (id: string, number = 1, pid = 100) => ({ run: id, attempt: number, pid });

/** An at-most-once run, and another one that was lost with its agent and tried again: all is well. */
const sound: StormHistory = {
  asked: [once, again],
  accepted: [once, again],
  runs: [run('r1'), run('r2')],
  attempts: [
    attempt('r1', 1),
    attempt('r2', 1, { state: 'lost', logBytes: linesUntil('r2', 1, 1).length }),
    attempt('r2', 2),
  ],
  chunks: [
    chunk('r1', 1, 0, 100),
    chunk('r1', 1, 100),
    chunk('r2', 1, 0, linesUntil('r2', 1, 1).length),
    chunk('r2', 2, 0),
  ],
  starts: [start('r1'), start('r2'), start('r2', 2)],
  written: new Map([
    ['r1 1', 3],
    ['r2 1', 1],
    ['r2 2', 2],
  ]),
  followed: new Map([
    ['r1', Buffer.from(linesUntil('r1', 1, 3))],
    ['r2', Buffer.from(linesUntil('r2', 1, 1) + linesUntil('r2', 2, 2))],
  ]),
  killedAgents: new Set(['w1']),
};

test('a storm that harmed nothing is accepted', (t) => {
  t.deepEqual(judgeStorm(sound), []);
});

test('what was not answered may be there or not', (t) => {
  const unanswered = asked('t3', 'module-again', 1, false);
  t.deepEqual(judgeStorm({ ...sound, asked: [...sound.asked, unanswered] }), []);
  const made = { ...run('r2'), id: 'r3', ticket: 't3', job: 'module-again' };
  const history: StormHistory = {
    ...sound,
    asked: [...sound.asked, unanswered],
    runs: [...sound.runs, made],
    attempts: [...sound.attempts, { ...attempt('r3', 1), logBytes: linesUntil('r3', 1, 1).length }],
    chunks: [...sound.chunks, chunk('r3', 1, 0, linesUntil('r3', 1, 1).length)],
    starts: [...sound.starts, start('r3')],
    written: new Map([...sound.written, ['r3 1', 1]]),
  };
  t.deepEqual(judgeStorm(history), []);
});

/** What may be done to it, and what has to be said then. */
const doctored: readonly (readonly [string, Partial<StormHistory>, RegExp])[] = [
  ['an accepted run that vanished', { runs: [run('r2')] }, /r1 was acknowledged and does not/],
  ['an accepted run that goes on', { runs: [run('r1', { state: 'running' }), run('r2')] }, /still/],
  ['an end that nobody was told of', { runs: [run('r1', { ends: 0 }), run('r2')] }, /told 0 times/],
  ['an end that was told twice', { runs: [run('r1'), run('r2', { ends: 2 })] }, /told 2 times/],
  [
    'an attempt without an end',
    { attempts: [...sound.attempts, attempt('r1', 2, { state: 'running', logBytes: 0 })] },
    /attempt 2 of run r1 is running for good/,
  ],
  [
    'a request without a key that was made into two runs',
    { runs: [...sound.runs, { ...run('r2'), id: 'r9' }] },
    /t2 was made into 2 runs/,
  ],
  ['a run that nobody asked for', { asked: [again] }, /nobody asked for t1/],
  [
    'an answer that names another run',
    { accepted: [{ ...once, run: 'r2' }, again] },
    /is r1, its user was told r2/,
  ],
  [
    'a key that was not kept',
    { runs: [run('r1', { key: null }), run('r2')] },
    /under the key null/,
  ],
  [
    'an at-most-once run that was started twice',
    { starts: [...sound.starts, start('r1', 2, 101)] },
    /I5: r1 was started as 100, 101/,
  ],
  [
    'an attempt that was started twice',
    { starts: [...sound.starts, start('r2', 1, 102)] },
    /I5: r2 attempt 1 was started as 100, 102/,
  ],
  ['a start that nobody knows of', { starts: [...sound.starts, start('r7')] }, /nobody knows/],
  [
    'an attempt that was started, and called not started',
    {
      attempts: sound.attempts.map((each) =>
        each.state === 'lost' ? { ...each, reason: 'not started: says the test' } : each,
      ),
    },
    /r2 1 was started, and called not started/,
  ],
  ['a success without a start', { starts: sound.starts.slice(1) }, /r1 1 succeeded, and was not/],
  [
    'a run that was lost though its agent lives',
    { runs: [run('r1', { state: 'lost', agent: 'w2' }), run('r2')] },
    /r1 of module-once on w2 is lost/,
  ],
  [
    'an at-least-once run that was given up',
    { runs: [run('r1'), run('r2', { state: 'lost' })] },
    /r2 of command-again on w1 is lost/,
  ],
  ['a piece of output that is missing', { chunks: sound.chunks.slice(1) }, /begins at byte 100/],
  [
    'the last piece of output that is missing',
    { chunks: sound.chunks.slice(0, -1) },
    /0 bytes are stored, counted are/,
  ],
  [
    'a piece of output that is there twice',
    { chunks: [chunk('r1', 1, 0, 100), ...sound.chunks] },
    /begins at byte 0, after byte 100/,
  ],
  [
    'bytes that are others than those written',
    {
      chunks: sound.chunks.map((each, index) =>
        index === 1 ? { ...each, data: Buffer.alloc(each.data.length) } : each,
      ),
    },
    /not what was written: byte 100 /,
  ],
  [
    'a success with fewer lines than it was to write',
    { accepted: [{ ...once, lines: 4 }, again] },
    /3 of 4 lines are stored/,
  ],
  [
    'a lost attempt of which less is stored than it wrote',
    { written: new Map([...sound.written, ['r2 1', 2]]) },
    /1 lines are stored, 2 were written/,
  ],
  [
    'a line of which the end is missing',
    {
      attempts: sound.attempts.map((each) =>
        each.state === 'lost' ? { ...each, logBytes: 100 } : each,
      ),
      chunks: sound.chunks.map((each) =>
        each.run === 'r2' && each.attempt === 1 ? chunk('r2', 1, 0, 100) : each,
      ),
    },
    /line 1 is stored in part/,
  ],
  [
    'output of nobody',
    { chunks: [...sound.chunks, { ...chunk('r2', 1, 0), run: 'r8' }] },
    /output of r8 1 is stored/,
  ],
  [
    'a follower who missed the end',
    { followed: new Map([['r1', Buffer.from(linesUntil('r1', 1, 2))]]) },
    /a follower of run r1 got/,
  ],
  [
    'a follower who was given something twice',
    { followed: new Map([['r1', Buffer.from(`${linesUntil('r1', 1, 3)}more\n`)]]) },
    /a follower of run r1 got/,
  ],
];

for (const [what, change, said] of doctored) {
  test(`a storm is refused with ${what}`, (t) => {
    const found = judgeStorm({ ...sound, ...change });
    t.true(
      found.some((each) => said.test(each)),
      `${said} in ${JSON.stringify(found)}`,
    );
  });
}
