import { type Document, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';

/** What a text says, or what is wrong with it. The problem repeats nothing of the text: it may hold secrets. */
export type ReadYaml =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'bad'; readonly problem: string };

/** No configuration is nested so deeply; what refers to itself is nested without end. */
const MOST_DEEP = 32;
/** More than can be meant, also where brackets stand in texts. */
const MOST_OPEN = 4 * MOST_DEEP;
const BLOCKS_IN_ONE_LINE = /^ *(?:[-?] +){33}/m;
const MOST_NODES = 100_000;

/** Reads YAML (and so JSON) as plain values, whatever the text is. */
export function readYaml(text: string): ReadYaml {
  if (nestsTooDeeply(text)) return bad(TOO_DEEP);
  try {
    // Other tags than those of JSON's values have no meaning here.
    const options = { schema: 'core', resolveKnownTags: false, uniqueKeys: false } as const;
    const lineCounter = new LineCounter();
    const document = parseDocument(text, { ...options, lineCounter });
    const [error] = document.errors;
    if (error !== undefined) return bad(notYaml(error.message));
    const key = badKey(document);
    if (key !== null) {
      const { line } = lineCounter.linePos(key.at);
      return bad(`is not YAML: keys must be ${key.mustBe}, at line ${line}`);
    }
    const value: unknown = document.toJS();
    const problem = faultOf(value);
    return problem === null ? { type: 'value', value } : bad(problem);
  } catch (error) {
    return bad(notYaml((error as Error).message));
  }
}

const TOO_DEEP = `is nested more than ${MOST_DEEP} deep, or refers to itself`;

function bad(problem: string): ReadYaml {
  return { type: 'bad', problem };
}

/** The library gives all its stack, and much time, to what is opened and opened; so it never sees it. */
function nestsTooDeeply(text: string): boolean {
  let open = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    open += bracket === '[' || bracket === '{' ? 1 : -1;
    if (open > MOST_OPEN) return true;
  }
  return BLOCKS_IN_ONE_LINE.test(text);
}

interface BadKey {
  readonly at: number;
  readonly mustBe: 'unique' | 'plain';
}

/** The first key that was there before, where the library compares each with each, or that is no plain value. */
function badKey(document: Document.Parsed): BadKey | null {
  let found: BadKey | null = null;
  visit(document, {
    Map: (_key, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (isScalar(key) && !seen.has(key.value)) {
          seen.add(key.value);
          continue;
        }
        const at = (isNode(key) ? key : map).range?.[0] ?? 0;
        found = { at, mustBe: isScalar(key) ? 'unique' : 'plain' };
        return visit.BREAK;
      }
      return undefined;
    },
  });
  return found;
}

/** The library quotes the text behind a colon, and shows the line below. */
function notYaml(message: string): string {
  const [line = ''] = message.split('\n', 1);
  const place = / at line \d+, column \d+/.exec(line)?.[0] ?? '';
  if (line.includes('call stack')) return TOO_DEEP;
  const said = line
    .replace(place, '')
    .replace(/:$/, '')
    .replace(/(?<=[\w)]): .*$/, '')
    .replace(/(?<=escape sequence|resolved), .*$|(?<=escape sequence) .*$/, '')
    .replace(/^The \S+ tag/, 'The tag');
  return `is not YAML: ${said}${place}`;
}

/** Plain values of bounded size only: they are walked and shown by what comes next. */
function faultOf(value: unknown): string | null {
  let left = MOST_NODES;
  const walk = (node: unknown, depth: number): string | null => {
    left -= 1;
    if (left < 0) return `holds more than ${MOST_NODES} values`;
    if (typeof node !== 'object' || node === null) return null;
    if (depth === MOST_DEEP) return TOO_DEEP;
    for (const inner of Object.values(node)) {
      const fault = walk(inner, depth + 1);
      if (fault !== null) return fault;
    }
    return null;
  };
  return walk(value, 0);
}
