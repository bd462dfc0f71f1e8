import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openHistory, readHistories } from '../../support/history.ts';

test('histories of several processes merge into one, in the order of the clock', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-history-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  const first = openHistory<{ what: string; term: bigint }>(one);
  const second = openHistory<{ what: string; term: bigint }>(two);
  first.record({ what: 'a', term: 1n });
  second.record({ what: 'b', term: 2n });
  first.record({ what: 'c', term: 2n ** 60n });
  appendFileSync(two, '{"at":"1","what":"cut sho');
  first.close();
  second.close();
  const merged = readHistories([two, one], (line) => ({
    what: String(line['what']),
    term: BigInt(String(line['term'])),
  }));
  t.deepEqual(
    merged.map(({ what, term }) => `${what}${term}`),
    ['a1', 'b2', `c${2n ** 60n}`],
  );
});
