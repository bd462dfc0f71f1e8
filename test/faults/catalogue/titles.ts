import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A test that says by number which faults it is about. */
export interface TitledTest {
  readonly file: string;
  readonly title: string;
  readonly numbers: readonly number[];
}

/** What is built, what tests stand on, and this catalogue with its own tests. */
const NOT_OURS = /(?:^|\/)(?:(?:dist|support)\/|catalogue\b)/;

/** Every such title in the sources below this folder, `test/` of a checkout. */
export function readTitles(folder: string): TitledTest[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !NOT_OURS.test(path))
    .toSorted()
    .flatMap((file) => titlesIn(file, readFileSync(join(folder, file), 'utf8')));
}

/** A title is a string that begins with numbers of faults, such as `F1: ...` or `F1, F2: ...`. */
const TITLE = /(['"`])(F\d+(?:, F\d+)*: (?:(?!\1).)+)\1/g;

export function titlesIn(file: string, text: string): TitledTest[] {
  return Array.from(text.matchAll(TITLE), ([, , title = '']) => {
    const [head = ''] = title.split(':', 1);
    return { file, title, numbers: head.split(', ').map((name) => Number(name.slice(1))) };
  });
}
