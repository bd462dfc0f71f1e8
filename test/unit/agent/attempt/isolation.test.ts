import { isolationOf, signOfLifeMs } from '@understudy/agent/attempt/isolation';
import test from 'ava';
import fc from 'fast-check';

test('nothing runs any more before the controller may call it lost, whatever the settings', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 86_400_000 }),
      fc.integer({ min: 0, max: 3_600_000 }),
      fc.integer({ min: 0, max: 1e9 }),
      (lostAfterMs, graceMs, provenAtMs) => {
        const isolation = isolationOf({ provenAtMs, lostAfterMs }, graceMs);
        if (isolation === null) return false;
        const { endAtMs, killAtMs } = isolation;
        const lostAtMs = provenAtMs + lostAfterMs * 0.99;
        const reserveMs = Math.min(3_000, lostAfterMs / 4);
        return (
          killAtMs <= lostAtMs - reserveMs + 1e-3 &&
          endAtMs <= killAtMs &&
          endAtMs >= provenAtMs + lostAfterMs / 2
        );
      },
    ),
  );
  t.pass();
});

test('a grace is given in full where there is time for it', (t) => {
  const contact = { provenAtMs: 1_000, lostAfterMs: 60_000 };
  t.deepEqual(isolationOf(contact, 5_000), { endAtMs: 52_400, killAtMs: 57_400 });
  t.deepEqual(isolationOf(contact, 600_000), { endAtMs: 31_000, killAtMs: 57_400 });
});

test('contact is proven several times in the time that the controller waits', (t) => {
  const signs = (lostAfterMs: number | null, isIdle = false) =>
    signOfLifeMs({ lostAfterMs, idleSignEveryMs: 5_000 }, isIdle);
  t.is(signs(null), 2_000);
  t.is(signs(60_000), 2_000);
  t.is(signs(5_000), 500);
  t.is(signs(60_000, true), 5_000, 'nobody waits for who has nothing to do');
  t.is(signOfLifeMs({ lostAfterMs: 60_000, idleSignEveryMs: null }, true), 2_000);
  t.is(isolationOf({ provenAtMs: 0, lostAfterMs: null }, 5_000), null);
});
