import {
  COMMAND_SLOW_MS,
  KERNEL_LATE_MS,
  MOST_LATE_MS,
} from '@understudy/heartbeat/address/plan/life-time';
import {
  addressWakeAt,
  DRAIN_WITHIN_MS,
  LEAVE_WITHIN_MS,
  OPEN_WITHIN_MS,
} from '@understudy/heartbeat/address/plan/step';
import test from 'ava';
import fc from 'fast-check';
import { here, Play, presentUntil, unknown } from './play.ts';

const GIVEN_AT = 1_500;
const TOOK_MS = 2;
/** The next active asks so often while it waits. */
const HEARD_EVERY_MS = 250;
const LOOK_MS = 10;

/** A host whose lease was handed over a moment ago, and which has told the kernel. */
function leaving(): Play {
  const play = Play.held();
  play.aim(GIVEN_AT, { kind: 'leaving' }, here);
  play.at(GIVEN_AT + 5, { kind: 'put-done' }, here);
  return play;
}

test('after a hand-over the addresses stay while somebody is connected, and go when the door is closed and nobody is', (t) => {
  const play = Play.held();
  t.deepEqual(play.aim(GIVEN_AT, { kind: 'leaving' }, here), ['put 1'], 'the kernel is told');
  t.deepEqual(play.at(1_510, { kind: 'put-done' }, here), []);
  t.deepEqual(
    play.at(1_520, { kind: 'looked', connections: 0 }, here),
    [],
    'who comes now is still received',
  );
  t.deepEqual(play.at(1_600, { kind: 'successor-serves', heardAt: 1_600 }, here), []);
  t.deepEqual(
    play.at(1_610, { kind: 'looked', connections: 0 }, here),
    ['close'],
    'somebody may come after a look',
  );
  t.deepEqual(
    play.at(1_611, { kind: 'looked', connections: 0 }, here),
    [],
    'it may not be closed yet',
  );
  t.deepEqual(play.at(1_612, { kind: 'closed' }, here), []);
  t.deepEqual(play.at(1_614, { kind: 'looked', connections: 0 }, here), ['remove']);
  t.deepEqual(play.at(1_620, { kind: 'removed' }, unknown), ['address-removed']);
  t.deepEqual(play.at(1_700, { kind: 'looked', connections: 0 }, unknown), []);
});

test('where somebody always is connected the door is closed all the same, and they go at the limit', (t) => {
  const play = leaving();
  const done = live(play, 1_600, { heardUntil: Number.POSITIVE_INFINITY });
  // The kernel was just being told.
  const closedAt = GIVEN_AT + OPEN_WITHIN_MS + TOOK_MS;
  t.deepEqual(
    done.filter(({ effect }) => !effect.startsWith('put')),
    [
      { at: closedAt, effect: 'close' },
      { at: closedAt + TOOK_MS + DRAIN_WITHIN_MS, effect: 'remove' },
    ],
  );
  t.true(done.length >= 5, 'the kernel would have removed them');
});

test('behind a closed door nobody is waited for longer than a moment', (t) => {
  const play = leaving();
  play.at(1_600, { kind: 'successor-serves', heardAt: 1_600 }, here);
  play.at(1_610, { kind: 'looked', connections: 0 }, here);
  play.at(1_612, { kind: 'closed' }, here);
  const all = live(play, 1_613, { heardUntil: Number.POSITIVE_INFINITY });
  const done = all.filter(({ effect }) => !effect.startsWith('put'));
  t.deepEqual(done, [{ at: 1_612 + DRAIN_WITHIN_MS, effect: 'remove' }]);
});

test('behind a closed door they stay as long as connections end, up to the limit', (t) => {
  const play = leaving();
  const done = live(play, 1_600, {
    heardUntil: Number.POSITIVE_INFINITY,
    look: (now) => Math.max(3, 12 - Math.floor((now - GIVEN_AT) / 200)),
  });
  const removedAt = done.find(({ effect }) => effect === 'remove')?.at ?? 0;
  // The last that ended did so then; three don't end.
  t.true(Math.abs(removedAt - (GIVEN_AT + 9 * 200 + DRAIN_WITHIN_MS)) <= 20, `${removedAt}`);
  const longer = live(leaving(), 1_600, {
    heardUntil: Number.POSITIVE_INFINITY,
    look: (now) => 50 - Math.floor((now - GIVEN_AT) / 200),
  });
  t.deepEqual(longer.at(-1), { at: GIVEN_AT + LEAVE_WITHIN_MS, effect: 'remove' });
});

test('where the successor does not serve the door stays open until they go', (t) => {
  const done = live(leaving(), GIVEN_AT + 10).filter(({ effect }) => !effect.startsWith('put'));
  t.deepEqual(done, [{ at: GIVEN_AT + LEAVE_WITHIN_MS, effect: 'remove' }]);
});

test('where the door can not be closed they go in a moment in which nobody is connected', (t) => {
  const play = leaving();
  play.at(1_600, { kind: 'successor-serves', heardAt: 1_600 }, here);
  t.deepEqual(play.at(1_610, { kind: 'looked', connections: 0 }, here), ['close']);
  const failed = { kind: 'close-failed', error: 'not supported' } as const;
  t.deepEqual(play.at(1_615, failed, here), ['address-failed']);
  t.deepEqual(play.at(1_620, { kind: 'tick' }, here), []);
  t.deepEqual(play.at(1_630, { kind: 'looked', connections: 0 }, here), ['remove']);
});

test('who gets the lease back while they leave has them anew, with an open door', (t) => {
  const play = leaving();
  play.at(1_600, { kind: 'successor-serves', heardAt: 1_600 }, here);
  play.at(1_610, { kind: 'looked', connections: 0 }, here);
  t.deepEqual(play.aim(1_612, presentUntil(3_600, 9n), here), ['break-off', 'put anew 2']);
  t.deepEqual(play.at(1_620, { kind: 'put-done' }, here), ['address-added', 'announce']);
});

test('a tenure that ends while the door is being closed removes at once', (t) => {
  const play = leaving();
  play.at(1_600, { kind: 'successor-serves', heardAt: 1_600 }, here);
  play.at(1_610, { kind: 'looked', connections: 0 }, here);
  t.deepEqual(play.aim(1_611, { kind: 'absent' }, here), ['break-off', 'remove']);
});

test('what the kernel may have removed meanwhile is not put again', (t) => {
  const play = leaving();
  t.deepEqual(play.at(GIVEN_AT + 1_100, { kind: 'tick' }, here), ['remove'], 'it was asleep');
});

test('nobody who was let in is cut off, but for the limit', (t) => {
  const visit = fc.record({
    comesAt: fc.integer({ min: GIVEN_AT, max: GIVEN_AT + 3_000 }),
    staysMs: fc.integer({ min: 1, max: DRAIN_WITHIN_MS - 100 }),
  });
  fc.assert(
    fc.property(
      fc.array(visit, { maxLength: 60 }),
      fc.integer({ min: GIVEN_AT + 10, max: GIVEN_AT + 1_000 }),
      fc.integer({ min: 1, max: 30 }),
      (visits, servesAt, tookMs) => {
        const play = leaving();
        let isOpen = true;
        let end: { readonly at: number; readonly effect: string } | null = null;
        const inside: number[] = [];
        for (let now = GIVEN_AT + 10; now < GIVEN_AT + LEAVE_WITHIN_MS + 100; now += 1) {
          if (isOpen) {
            const coming = visits.filter(({ comesAt }) => comesAt === now);
            inside.push(...coming.map(({ staysMs }) => now + staysMs));
          }
          const effects: string[] = [];
          if (end !== null && now >= end.at) {
            if (end.effect === 'close') isOpen = false;
            const kind = end.effect === 'close' ? 'closed' : 'put-done';
            effects.push(...play.at(now, { kind }, here));
            end = null;
          }
          if (now >= servesAt && (now - servesAt) % HEARD_EVERY_MS === 0) {
            effects.push(...play.at(now, { kind: 'successor-serves', heardAt: now }, here));
          }
          const isLook = now % 3 === 0;
          const connections = inside.filter((until) => until > now).length;
          effects.push(
            ...play.at(now, isLook ? { kind: 'looked', connections } : { kind: 'tick' }, here),
          );
          if (effects.includes('remove')) {
            t.false(isOpen, 'the door was open');
            t.deepEqual(
              inside.filter((until) => until > now),
              [],
            );
            return;
          }
          const command = effects.find((each) => each === 'close' || each.startsWith('put'));
          if (command !== undefined) end = { at: now + tookMs, effect: command };
        }
        t.fail('they did not go');
      },
    ),
  );
});

test('where the next active falls silent the kernel is not told any more to keep them', (t) => {
  const heardUntil = GIVEN_AT + 300;
  const done = live(leaving(), GIVEN_AT + 10, { heardUntil });
  const puts = done.filter(({ effect }) => effect.startsWith('put'));
  t.true(puts.every(({ at }) => at <= heardUntil + 500));
  const goneAt = done.find(({ effect }) => effect === 'remove')?.at ?? Number.POSITIVE_INFINITY;
  t.true(goneAt <= heardUntil + 1_500, `removed at ${goneAt}`);
});

/** As of `keeper.ts`: it waits so long for one that it heard, and so long for one that it did not hear. */
const TAKES_AFTER_SILENCE_MS = 1_500;
const TAKES_UNHEARD_MS = LEAVE_WITHIN_MS + 250;

test('the kernel removes them in time from a host that stands still while they leave', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: LEAVE_WITHIN_MS }),
      fc.integer({ min: 1, max: COMMAND_SLOW_MS }),
      fc.option(fc.integer({ min: 0, max: LEAVE_WITHIN_MS })),
      (livesMs, tookMs, heardForMs) => {
        const play = Play.held();
        play.aim(GIVEN_AT, { kind: 'leaving' }, here);
        play.at(GIVEN_AT + tookMs, { kind: 'put-done' }, here);
        const heardUntil = heardForMs === null ? 0 : GIVEN_AT + tookMs + heardForMs;
        const until = GIVEN_AT + livesMs;
        const done = live(play, GIVEN_AT + tookMs, { tookMs, until, heardUntil });
        if (done.some(({ effect }) => effect === 'remove')) return;
        const last = done.findLast(({ effect }) => effect.startsWith('put'))?.at ?? GIVEN_AT;
        const goneAt = last + 1_000 + tookMs + KERNEL_LATE_MS;
        // It serves at the earliest when it was handed the lease, and heard us last when we heard it.
        const heardAt = Math.min(heardUntil, until);
        const takenAt =
          heardAt <= GIVEN_AT
            ? GIVEN_AT + TAKES_UNHEARD_MS
            : Math.min(
                GIVEN_AT + TAKES_UNHEARD_MS,
                heardAt - HEARD_EVERY_MS + TAKES_AFTER_SILENCE_MS,
              );
        t.true(goneAt <= takenAt + MOST_LATE_MS, `there until ${goneAt}, taken at ${takenAt}`);
      },
    ),
  );
});

interface Done {
  readonly at: number;
  readonly effect: string;
}

interface Life {
  readonly tookMs?: number;
  readonly until?: number;
  /** The next active serves and is heard until then. */
  readonly heardUntil?: number;
  /** How many are connected; they are counted each ten milliseconds. */
  readonly look?: (now: number) => number;
}

/** Lets time pass until they are removed or the host stands still; each command takes as long. Says what was done when. */
function live(
  play: Play,
  from: number,
  { tookMs = TOOK_MS, until = from + 10_000, heardUntil = 0, look }: Life = {},
): Done[] {
  const done: Done[] = [];
  const ends: { readonly at: number; readonly kind: 'put-done' | 'closed' }[] = [];
  let hearsAt = from;
  for (let now = from; now < until; ) {
    const end = ends[0]?.at === now ? ends.shift() : undefined;
    const effects = [...play.at(now, { kind: end?.kind ?? 'tick' }, here)];
    if (now >= hearsAt && now <= heardUntil) {
      effects.push(...play.at(now, { kind: 'successor-serves', heardAt: now }, here));
      hearsAt = now + HEARD_EVERY_MS;
    }
    if (look !== undefined && now % LOOK_MS === 0) {
      effects.push(...play.at(now, { kind: 'looked', connections: look(now) }, here));
    }
    for (const effect of effects) {
      done.push({ at: now, effect });
      if (effect === 'remove') return done;
      ends.push({ at: now + tookMs, kind: effect === 'close' ? 'closed' : 'put-done' });
    }
    const wakesAt = Math.max(now + 1, addressWakeAt(play.state));
    const looksAt = look === undefined ? until : now + LOOK_MS - (now % LOOK_MS);
    now = Math.min(ends[0]?.at ?? until, wakesAt, looksAt, hearsAt > now ? hearsAt : until);
  }
  return done;
}
