import type { PairView } from '@understudy/shared/protocol/api';

/** A page for people who open the controller's address. It shows numbers only, and needs no token. */
export function homePage(view: PairView): string {
  const rows = [
    ['active node', view.node],
    ['term', view.term],
    ['since', view.since],
    ['database', view.store],
    ...Object.entries(view.agents).map(([state, count]) => [`agents ${state}`, `${count}`]),
    ...Object.entries(view.runs).map(([state, count]) => [`runs ${state}`, `${count}`]),
  ];
  const table = rows.map(
    ([name = '', value = '']) => `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Understudy: ${escape(view.pair)}</title>
<style>body{font:16px system-ui;margin:2rem}th{text-align:left;padding-right:2rem}</style></head>
<body><h1>Pair ${escape(view.pair)}</h1><table>${table.join('')}</table></body></html>
`;
}

function escape(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replaceAll(/[&<>"]/g, (sign) => names[sign] ?? sign);
}
