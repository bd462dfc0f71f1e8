import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { isServing, makeCluster, termOf } from '../support/cluster.ts';

/** Says the term, or that it overlaps with a child of an earlier tenure, and stays for good. */
const CHILD =
  'flock -n "$0.lock" sh -c \'echo "$UNDERSTUDY_TERM" >> "$0"; exec sleep 600\' "$0" || echo overlap >> "$0"';

/** A pair that wraps a program of which each tenure starts a child, by this command. */
async function startWrappedPair(t: ExecutionContext, start: string) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-wrapped-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [file, demoted] = [join(folder, 'terms'), join(folder, 'demoted')];
  const program = `${start} sh -c '${CHILD.replaceAll("'", "'\\''")}' "$0" & wait`;
  const note = 'sleep 0.3; echo "$UNDERSTUDY_NODE $UNDERSTUDY_TERM" >> "$0"';
  const cluster = await makeCluster(t, {
    agents: [],
    host: {
      controller: {
        command: ['sh', '-c', program, file],
        check: { command: ['test', '-s', file] },
      },
      hooks: { demoted: ['sh', '-c', note, demoted] },
    },
  });
  const [a, b] = [cluster.host('a'), cluster.host('b')];
  a.start();
  await a.until('to be active', isServing);
  b.start();
  const lines = (path: string) => readFileSync(path, 'utf8').trim().split('\n');
  return {
    cluster,
    /** What the children of all tenures said so far. */
    said: () => lines(file),
    demoted: () => lines(demoted),
    saidBy: (term: bigint) =>
      eventually(() => (lines(file).includes(String(term)) ? true : null), {
        what: `the child of term ${term}`,
      }),
  };
}

test('X12: a tenure of a wrapped program begins when what the last one started is dead', async (t) => {
  const { cluster, said, saidBy, demoted } = await startWrappedPair(t, 'setsid');
  const first = await cluster.settled();
  const firstTerm = termOf(first.activeStatus);
  await saidBy(firstTerm);
  signal(await first.active.controllerPid(), 'SIGKILL');
  const second = await cluster.settled({ above: firstTerm });
  const secondTerm = termOf(second.activeStatus);
  await saidBy(secondTerm);
  t.is(await second.active.stop(), 0);
  t.is(demoted().at(-1), `${second.active.node} ${secondTerm}`, 'its hook ended before it');
  const third = await second.passive.until('to be active', isServing);
  await saidBy(termOf(third));
  t.deepEqual(said(), [firstTerm, secondTerm, termOf(third)].map(String));
});

test('F18: when the heartbeat of a wrapped program is killed, nothing of its tenure lives into the next', async (t) => {
  const { cluster, said, saidBy } = await startWrappedPair(t, '');
  const { active, activeStatus, passive } = await cluster.settled();
  const term = termOf(activeStatus);
  await saidBy(term);
  await active.killHeartbeat();
  const next = await passive.until('to be active', isServing);
  await saidBy(termOf(next));
  t.deepEqual(said(), [term, termOf(next)].map(String));
});
