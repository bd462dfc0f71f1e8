import type { Batch } from '@understudy/controller/store/changes';
import { Statistics } from '@understudy/controller/store/statistics';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';

/** A database whose looks end when the test says so. */
function setUp() {
  const asked: string[] = [];
  let end: (error?: Error) => void = () => undefined;
  const statistics = new Statistics({
    log: silentLog,
    lane: {
      ask: (text) => {
        asked.push(text);
        return new Promise((resolve, reject) => {
          end = (error) => (error === undefined ? resolve() : reject(error));
        });
      },
      close: () => undefined,
    },
  });
  const make = (count: number) => {
    const newRuns = new Map(Array.from({ length: count }, (_, index) => [`${index}`, null]));
    statistics.noteCommitted({ newRuns } as unknown as Batch);
  };
  const answer = async (error?: Error) => {
    end(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { statistics, asked, make, answer };
}

test('the database looks at its tables when they have become twice as large, and once at a time', async (t) => {
  const { asked, make, answer } = setUp();
  make(299);
  t.deepEqual(asked, []);
  make(1);
  make(5_000);
  t.deepEqual(asked, ['analyze run']);
  await answer();
  await answer();
  t.deepEqual(asked, ['analyze run', 'analyze attempt']);
  make(1);
  t.is(asked.length, 3);
  await answer();
  await answer();
  make(5_000);
  t.is(asked.length, 4);
});

test('a look that fails changes nothing, and after the end there is none', async (t) => {
  const { statistics, asked, make, answer } = setUp();
  make(300);
  await answer(new Error('no connection'));
  make(600);
  t.is(asked.length, 2);
  await answer(new Error('no connection'));
  statistics.stop();
  make(10_000);
  t.is(asked.length, 2);
});
