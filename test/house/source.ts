/** A file of the tree as the house rules look at it. `path` is relative to the root of the checkout. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked; strings stay. Lines keep their numbers. */
  readonly bare: string;
  /** The text with comments and the insides of strings, templates and regular expressions blanked. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  readonly specifier: string;
  /** Nothing but types: erased by the compiler. */
  readonly typeOnly: boolean;
}

/** Reads TypeScript or JavaScript source well enough to search it for words and imports. */
export function parseSource(path: string, text: string): SourceFile {
  const { bare, code } = blank(text);
  return { path, text, bare, code, imports: importsOf(bare) };
}

/** The line on which an offset of the text lies, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

const STATIC = /(?:^|[;\n])\s*(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s*['"]([^'"]+)['"]/g;
const SIDE_EFFECT = /(?:^|[;\n])\s*import\s*['"]([^'"]+)['"]/g;
const DYNAMIC = /\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/g;

function importsOf(bare: string): Import[] {
  const found: Import[] = [];
  for (const [, type, names = '', specifier = ''] of bare.matchAll(STATIC)) {
    found.push({ specifier, typeOnly: type !== undefined || onlyTypes(names) });
  }
  for (const pattern of [SIDE_EFFECT, DYNAMIC]) {
    for (const [, specifier = ''] of bare.matchAll(pattern)) {
      found.push({ specifier, typeOnly: false });
    }
  }
  return found;
}

function onlyTypes(names: string): boolean {
  const braces = /^\{(.*)\}$/s.exec(names.trim());
  const each = (braces?.[1] ?? '').split(',').flatMap((name) => name.trim() || []);
  return each.length > 0 && each.every((name) => name.startsWith('type '));
}

/** Blanks with spaces, so that offsets and line numbers stay as they are. */
function blank(text: string): { bare: string; code: string } {
  const bare: string[] = [];
  const code: string[] = [];
  /** One entry per template literal we are inside of: how many braces of its `${` are open. */
  const templates: number[] = [];
  let at = 0;
  while (at < text.length) {
    const piece = nextPiece(text, at, code, templates);
    const chunk = text.slice(at, at + piece.length);
    bare.push(piece.kind === 'comment' ? hide(chunk) : chunk);
    code.push(piece.kind === 'code' ? chunk : hide(chunk));
    at += piece.length;
  }
  return { bare: bare.join(''), code: code.join('') };
}

interface Piece {
  readonly kind: 'code' | 'comment' | 'string';
  readonly length: number;
}

function nextPiece(text: string, at: number, before: string[], templates: number[]): Piece {
  const rest = text.slice(at, at + 2);
  const open = templates.at(-1);
  if (open === 0) return templatePiece(text, at, templates);
  if (rest === '//') return { kind: 'comment', length: until(text, at, '\n') };
  if (rest === '/*') return { kind: 'comment', length: until(text, at, '*/') + 2 };
  const first = rest[0];
  if (first === "'" || first === '"') return { kind: 'string', length: quoted(text, at, first) };
  if (first === '`') templates.push(0);
  if (open !== undefined && first === '{') templates[templates.length - 1] = open + 1;
  if (open !== undefined && first === '}') templates[templates.length - 1] = open - 1;
  if (first === '/' && startsRegex(before)) return { kind: 'string', length: regex(text, at) };
  return { kind: 'code', length: 1 };
}

/** Inside a template's own text: up to `${`, which opens code, or to its closing backtick. */
function templatePiece(text: string, at: number, templates: number[]): Piece {
  if (text.startsWith('${', at)) {
    templates[templates.length - 1] = 1;
    return { kind: 'code', length: 2 };
  }
  if (text[at] === '`') {
    templates.pop();
    return { kind: 'code', length: 1 };
  }
  return { kind: 'string', length: text[at] === '\\' ? 2 : 1 };
}

function hide(chunk: string): string {
  return chunk.replaceAll(/[^\n]/g, ' ');
}

function until(text: string, at: number, end: string): number {
  const found = text.indexOf(end, at + 1);
  return (found === -1 ? text.length : found) - at;
}

function quoted(text: string, at: number, quote: string): number {
  let end = at + 1;
  while (end < text.length && text[end] !== quote && text[end] !== '\n') {
    end += text[end] === '\\' ? 2 : 1;
  }
  return end + 1 - at;
}

/** A slash after an operator, an opening bracket or a keyword begins a regular expression. */
function startsRegex(before: string[]): boolean {
  const last = before.slice(-40).join('').trimEnd();
  return last === '' || /[([{,;=:!&|?+*%~^<>-]$|\b(?:return|typeof|case|of|in)$/.test(last);
}

function regex(text: string, at: number): number {
  let end = at + 1;
  let inClass = false;
  while (end < text.length && text[end] !== '\n' && (inClass || text[end] !== '/')) {
    if (text[end] === '[') inClass = true;
    if (text[end] === ']') inClass = false;
    end += text[end] === '\\' ? 2 : 1;
  }
  return end + 1 - at;
}
