import { formatSizeBytes, parseSizeBytes } from '@understudy/shared/kernel/size';
import test from 'ava';

test('sizes are read as people write them', (t) => {
  t.is(parseSizeBytes('16mb'), 16 * 1_024 ** 2);
  t.is(parseSizeBytes('512KB'), 512 * 1_024);
  t.is(parseSizeBytes('1.5kb'), 1_536);
  t.is(parseSizeBytes('7b'), 7);
  for (const text of ['', '16', 'mb', '-1mb', '1 mb', '0.3b', '1tb']) {
    t.is(parseSizeBytes(text), null, text);
  }
});

test('a size is written so that it is read as the same', (t) => {
  for (const bytes of [0, 7, 1_024, 1_536, 16 * 1_024 ** 2, 3 * 1_024 ** 3, 1_000_000]) {
    t.is(parseSizeBytes(formatSizeBytes(bytes)), bytes);
  }
  t.is(formatSizeBytes(16 * 1_024 ** 2), '16mb');
});
