import fc from 'fast-check';

/** What people, broken clients and attackers put where something else is expected. */

const numbers = [
  ...[0, -0, -1, 0.5, 1e21, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 5e-324],
] as const;

export const nastyTexts = [
  ...['', ' ', '\0', 'a\0b', '\n', '\r\nX-Injected: 1', '\u001b[2J', '\u007f', '\ufeff', '\ufffd'],
  ...['\ud800', 'x\udfff', '\ud83d\ude00', '\u202eevil', 'مرحبا', '\u0301\u0301\u0301', '٣'],
  ...['../../etc/passwd', '..', '.', '/', '\\', '%00', '%2e%2e%2f', 'a/b', 'a?b', 'a#b', 'C:\\x'],
  ...[
    "'; drop table job; --",
    '$(reboot)',
    '`id`',
    '$'.concat('{7*7}'),
    '{{7*7}}',
    '<script>x</script>',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'null', 'undefined'],
  ...['NaN', 'Infinity', '-1', '1e999', '0x10', '007', '9'.repeat(400), 'true', '[]', '{}'],
  ...['a'.repeat(129), 'é'.repeat(2_000), 'x'.repeat(70_000)],
] as const;

/** One wrong value of any type. */
export const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...nastyTexts) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(...numbers) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], [{}]) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('__proto__', 'constructor', 'prototype', 'x'), fc.jsonValue())
      .map(([key, value]) => Object.fromEntries([[key, value]])),
  },
);

/** A good body in which some fields are wrong, gone, added or said twice; as JSON text. */
export function spoiled(good: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  const field = fc.constantFrom(...Object.keys(good));
  const change = fc.oneof(
    fc.tuple(fc.constant('set' as const), field, nastyValue),
    fc.tuple(fc.constant('drop' as const), field, fc.constant(null)),
    fc.tuple(fc.constant('add' as const), fc.constantFrom(...nastyTexts), nastyValue),
    fc.tuple(fc.constant('within' as const), field, nastyValue),
    fc.tuple(fc.constant('again' as const), field, nastyValue),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const entries: [string, unknown][] = Object.entries(good);
    for (const [how, key, value] of changes) {
      const at = entries.findIndex(([name]) => name === key);
      if (how === 'drop' && at >= 0) entries.splice(at, 1);
      else if (how === 'set' && at >= 0) entries[at] = [key, value];
      else if (how === 'within' && at >= 0) entries[at] = [key, inside(entries[at]?.[1], value)];
      else entries.push([key, value]);
    }
    // By hand: an object could hold neither a key twice nor `__proto__` as a key like others.
    const members = entries.map(
      ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    return `{${members.join(',')}}`;
  });
}

/** Puts a wrong value one level down. */
function inside(value: unknown, wrong: unknown): unknown {
  if (Array.isArray(value)) return [wrong, ...value.slice(1)];
  if (typeof value !== 'object' || value === null) return wrong;
  const [first = 'x'] = Object.keys(value);
  return { ...value, [first]: wrong };
}

const DEEP = 100_000;

/** Bodies that are wrong as a whole. */
export const nastyBodies: readonly (string | Buffer)[] = [
  ...['', ' ', '{', '}', '[', '"', 'nul', '{"a":}', '{"a" 1}', "{'a':1}", '{"a":1,}', '\ufeff{}'],
  ...['null', '0', '-1', '""', '"x"', 'true', '[]', '[1,2,3]', '{}', '{"":{}}', '1e999', 'NaN'],
  ...['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}'],
  '{"name":"\\ud800","command":["\\udfff"]}',
  '['.repeat(DEEP) + ']'.repeat(DEEP),
  `${'{"name":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
  `{"command":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`,
  `{"labels":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`,
  `{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
  `{"env":{${Array.from({ length: 20_000 }, (_, index) => `"k ${index}":${index}`).join(',')}}}`,
  `{"command":[${'0,'.repeat(50_000)}0]}`,
  `{"attempts":[${'{},'.repeat(50_000)}{}]}`,
  `{"name":"${'x'.repeat(1_000_000)}"}`,
  `{"${'k'.repeat(1_000_000)}":1}`,
  Buffer.from([0xff, 0xfe, 0x7b, 0x00]),
  Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x1f, 0x8b, 0x08, 0x00]),
];

export const nastyQueries = [
  ...['after=-1', 'after=%00', 'after=9999999999999999999999', 'after[]=1', 'after=a&after=b'],
  ...['limit=0', 'limit=-5', 'limit=1e9', 'limit=NaN', 'limit=1.5', 'limit=', 'limit=5&limit=6'],
  ...['limit=%F0%9F%98%80', 'offset=-1', 'offset=1e300', 'offset=9007199254740993', 'offset=x'],
  ...['offset=1&offset=2', 'follow=maybe', 'follow=', 'follow=true&follow=true', 'state=gone'],
  ...['state=queued&state=lost', 'job=%00', 'job=..%2F..', 'agent=%zz', 'agent=w1', '%', '%zz=%zz'],
  ...['__proto__=x', 'constructor[prototype]=x', '&&&&', '=', '=x', `job=${'x'.repeat(9_000)}`],
  ...['incarnation=0', 'agent=w1&incarnation=00000000-0000-0000-0000-000000000000'],
] as const;

/** As they stand in a path, encoded or not. */
export const nastySegments = [
  ...['%00', '%2F', '%2e%2e', '..', '.', '%zz', '%', '%C0%AF', '%E0%80%AF', '%ED%A0%80', '%FF'],
  ...['%F0%9F%98%80', '%E2%80%AEevil', 'a%20b', 'a+b', ';x=1', ':name', '*', '~', '__proto__'],
  ...['constructor', 'toString', '-1', '0', '%0d%0aX-Injected:%201', 'x'.repeat(5_000)],
  ...['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '%22%27'],
] as const;

/** Headers that are wrong, each for some route. */
export const nastyHeaders: readonly Readonly<Record<string, string>>[] = [
  {},
  { Range: 'bytes=-1' },
  { Range: 'bytes=0-18446744073709551616' },
  { Range: 'x'.repeat(4_000) },
  { 'Last-Event-ID': '-1' },
  { 'Last-Event-ID': '1e9' },
  { 'Last-Event-ID': '9'.repeat(30) },
  { 'Last-Event-ID': '\u00e9\u00ff' },
  { 'Idempotency-Key': ' ' },
  { 'Idempotency-Key': 'x'.repeat(300) },
  { 'Idempotency-Key': 'caf\u00e9' },
  { 'Idempotency-Key': 'x'.repeat(1_000_000) },
  { Authorization: 'Bearer' },
  { Authorization: 'Bearer ' },
  { Authorization: 'bearer x' },
  { Authorization: 'Basic eDp4' },
  { Authorization: `Bearer ${'x'.repeat(7_000)}` },
  { Authorization: 'Bearer \u00ff\u0001' },
  { 'Content-Type': 'text/plain' },
  { 'Content-Type': 'application/xml' },
  { 'Content-Type': 'multipart/form-data; boundary=x' },
  { 'Content-Type': 'application/x-www-form-urlencoded' },
  { 'Content-Type': 'application/json; charset=utf-7' },
  { 'Content-Type': 'application/json; charset=nonsense' },
  { 'Content-Type': '; ; ;' },
  { 'Content-Encoding': 'gzip' },
  { 'Content-Encoding': 'br' },
  { 'Content-Encoding': 'deflate' },
  { 'Content-Encoding': 'nonsense' },
  { 'Understudy-Term': '4611686018427387904' },
  { 'X-HTTP-Method-Override': 'DELETE' },
  { Accept: 'nonsense/;;;q=x' },
  { 'If-None-Match': '*' },
  { Host: '\u00ff[' },
  { Cookie: 'x'.repeat(10_000) },
];
