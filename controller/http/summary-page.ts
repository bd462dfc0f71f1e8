import type { PairView } from '@understudy/shared/protocol/api';

/** A page for people who open the address in a browser. */
export function summaryPage(pair: PairView): string {
  const rows = [
    ['Active node', pair.node],
    ['Term', pair.term],
    ['Active since', pair.since],
    ['Database', pair.store],
    ...Object.entries(pair.runs).map(([state, count]) => [`Runs ${state}`, String(count)]),
    ...Object.entries(pair.agents).map(([state, count]) => [`Agents ${state}`, String(count)]),
  ];
  const cells = rows
    .map(
      ([name = '', value = '']) =>
        `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Understudy: ${escapeHtml(pair.pair)}</title>
<style>body{font-family:sans-serif;margin:2rem}th{text-align:left;padding-right:2rem}</style>
<h1>${escapeHtml(pair.pair)}</h1>
<table>
${cells}
</table>
<p>The API is at <code>/api/v1</code>; <code>understudy --help</code> shows the commands.</p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
