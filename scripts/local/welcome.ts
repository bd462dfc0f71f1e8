import { relative } from 'node:path';
import { askHeartbeat } from '../cli/client/heartbeat-status.ts';
import { showTerm, table } from '../cli/output.ts';
import type { LocalSystem } from './system.ts';

const DEFAULT_FOLDER = '.understudy';

/** What runs where, and what to try. */
export async function welcome(system: LocalSystem): Promise<string> {
  const { layout, hosts, workers, postgres } = system;
  const folder = relative(process.cwd(), layout.folder) || '.';
  const answers = await Promise.all(hosts.map((host) => askHeartbeat(host.heartbeatUrl, 1_000)));
  const rows: string[][] = [
    ['address for users', layout.frontUrl, 'forwards to the active controller'],
  ];
  let activePid = '<pid of the active controller>';
  for (const [index, host] of hosts.entries()) {
    const answer = answers[index];
    const status = answer?.kind === 'answered' ? answer.status : null;
    const pid = status?.controller?.pid ?? null;
    const isActive = status?.role === 'active';
    if (isActive && pid !== null) activePid = `${pid}`;
    const role = isActive ? `active, term ${showTerm(status.term)}` : 'passive';
    rows.push([`heartbeat of ${host.node}`, host.heartbeatUrl, `pid ${host.process.pid}, ${role}`]);
    rows.push([
      `controller of ${host.node}`,
      host.controllerUrl,
      `pid ${pid ?? '-'}, ${isActive ? 'port open' : 'warm, port closed'}`,
    ]);
  }
  for (const worker of workers)
    rows.push([`agent ${worker.agent}`, '', `pid ${worker.process.pid}`]);
  rows.push(['PostgreSQL', `127.0.0.1:${postgres.port}`, `pid ${postgres.pid}`]);
  const config = folder === DEFAULT_FOLDER ? '' : ` --config ${folder}/a.yaml`;
  return `
${table(['WHAT', 'WHERE', ''], rows)}

Data, logs and the token are in ${folder}/ and stay there.

Try, in another terminal:
  npx understudy status${config}
  npx understudy job run hello --follow --param NAME=you${config}
  npx understudy run list${config}
  curl -H "Authorization: Bearer $(cat ${folder}/token)" ${layout.frontUrl}/api/v1/pair
  kill -9 ${activePid}        # the active controller; what happens is told here

Ctrl-C ends everything.
`;
}
