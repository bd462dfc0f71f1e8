import { readFileSync, writeFileSync } from 'node:fs';
import { exploreRole } from './explore-role.ts';

const BEGIN = '<!-- role diagram: written by `npm run diagram` -->';
const END = '<!-- end of role diagram -->';

/** The role machine as a Mermaid state diagram, from what the machine really does. */
export function roleDiagram(): string {
  const lines = exploreRole(2_000, 150).map(
    ({ from, to, events }) => `    ${from} --> ${to}: ${events.join(', ')}`,
  );
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> watching', ...lines, '```'].join('\n');
}

/** The text with the diagram between its two marks. Throws when the marks are missing. */
export function withDiagram(text: string, diagram: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the marks ${BEGIN} and ${END} are missing`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${diagram}\n\n${text.slice(end)}`;
}

/** Writes the diagram into ARCHITECTURE.md. */
export function writeDiagram(path: string): void {
  writeFileSync(path, withDiagram(readFileSync(path, 'utf8'), roleDiagram()));
}

if (process.argv[1]?.endsWith('role-diagram.js') === true) writeDiagram('ARCHITECTURE.md');
