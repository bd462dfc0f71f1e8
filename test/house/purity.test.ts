import test from 'ava';
import { purityFaults } from './rules/purity.ts';
import { parseSource } from './source.ts';
import { readSources } from './tree.ts';

test('pure folders know no clock, timer, promise, chance or process', (t) => {
  t.deepEqual(readSources().flatMap(purityFaults), []);
});

const PURE = 'heartbeat/role/step.ts';

const refused = test.macro({
  exec(t, text: string) {
    t.is(purityFaults(parseSource(PURE, text)).length, 1);
    t.deepEqual(purityFaults(parseSource('heartbeat/main.ts', text)), [], 'not a pure folder');
  },
  title: (_, text: string) => `it catches ${text}`,
});
const allowed = test.macro({
  exec(t, text: string) {
    t.deepEqual(purityFaults(parseSource(PURE, text)), []);
  },
  title: (_, text: string) => `it allows ${text}`,
});

test(refused, 'const now = Date.now();');
test(refused, 'const now = new Date();');
test(refused, 'const now = hrtime();');
test(refused, 'const now = performance;');
test(refused, 'const now = systemClock.wallMs();');
test(refused, 'setTimeout(() => undefined, 5);');
test(refused, 'setInterval(tick, 5);');
test(refused, 'queueMicrotask(tick);');
test(refused, 'export async function step() {}');
test(refused, 'export function step(): Promise<void> {}');
test(refused, 'later.then(tick);');
test(refused, 'const dice = Math.random();');
test(refused, 'const id = randomUUID();');
test(refused, "const home = process.env['HOME'];");
test(refused, ['const text = `at $', '{Date.now()}`;'].join(''));

test(allowed, 'const text = new Date(now).toISOString();');
test(allowed, '// setTimeout would be wrong here, and so would Date.now().');
test(allowed, "const text = 'a Promise is an async thing';");
test(allowed, 'const pattern = /Date.now/;');
test(allowed, 'const half = total / 2; const rest = total / 3;');
