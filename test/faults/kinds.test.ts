import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { JobInput } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

/** Where a run notes that it began, and what it waits for to end. */
interface Files {
  readonly STARTS: string;
  readonly GO: string;
}

type Kind = Omit<JobInput, 'name'>;

const EVERY_MS = 100;

const shared = Scenario.shared(test);

test.serial(
  'F1: a shell line goes on while the controller is killed: it ends once, its output is whole',
  async (t) => {
    const scenario = await shared(t);
    const files = filesFor(scenario, 'shell');
    const lines = 'i=0; until [ -e "$GO" ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done | cat';
    const shell = `echo began >> "$STARTS"; ${lines}; echo end`;
    await killWhileItWorks(t, scenario, { files, kind: { shell, env: { ...files } }, head: '' });
  },
);

test.serial(
  'F1: a request goes on while the controller is killed: it is made once, its answer is whole',
  async (t) => {
    const scenario = await shared(t);
    const files = filesFor(scenario, 'http');
    const url = await serveLines(t, files);
    const head = 'HTTP/1.1 200 OK\n';
    await killWhileItWorks(t, scenario, { files, kind: { http: { url } }, head });
  },
);

test.serial(
  'F1: a module goes on while the controller is killed: it is called once, its output is whole',
  async (t) => {
    const scenario = await shared(t);
    const files = filesFor(scenario, 'module');
    const path = join(scenario.cluster.facts.folder, 'lines.mjs');
    writeFileSync(path, MODULE);
    const kind = { module: { path }, env: { ...files } };
    await killWhileItWorks(t, scenario, { files, kind, head: '' });
  },
);

const MODULE = `import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
export default async ({ env: { STARTS, GO }, log }) => {
  appendFileSync(STARTS, 'began\\n');
  for (let i = 1; !existsSync(GO); i += 1) {
    log(\`line \${i}\`);
    await pause(${EVERY_MS});
  }
  log('end');
};
`;

interface Work {
  readonly files: Files;
  readonly kind: Kind;
  /** What stands before the first line. */
  readonly head: string;
}

/** The run writes line after line, through the death of the active controller, until the next one serves. */
async function killWhileItWorks(
  t: ExecutionContext,
  scenario: Scenario,
  { files, kind, head }: Work,
): Promise<void> {
  const { cluster, before, termBefore } = scenario;
  const { client } = cluster;
  const job = Object.keys(kind)[0] ?? '';
  await client.putJob({ name: job, ...kind });
  const { id } = await client.submit(job, job);
  await stored(scenario, id, 50);
  t.is((await client.run(id)).state, 'running');
  signal(await before.active.controllerPid(), 'SIGKILL');
  const { activeStatus } = await cluster.settled({ above: termBefore });
  t.is(termOf(activeStatus), termBefore + 1n);
  const { state, logBytes } = await client.run(id);
  t.is(state, 'running', 'it is under way still');
  await stored(scenario, id, logBytes);
  writeFileSync(files.GO, '');
  const { runs } = await scenario.judge();
  const run = runs.find((each) => each.id === id);
  t.like(run, { state: 'succeeded', exitCode: 0, reason: null });
  t.is(run?.attempts.length, 1);
  t.is(readFileSync(files.STARTS, 'utf8'), 'began\n');
  const ends = await cluster.query(
    `select from understudy.event where subject = '${id}' and kind = 'run-ended'`,
  );
  t.is(ends.length, 1);
  const log = String(await client.request('GET', `/api/v1/runs/${id}/log`));
  const lines = log.match(/^line /gm)?.length ?? 0;
  t.true(lines > 10);
  t.is(log, head + linesUntil(lines));
}

/** Waits until more than so many bytes of its output are stored. */
async function stored({ cluster }: Scenario, id: string, bytes: number): Promise<void> {
  await eventually(async () => ((await cluster.client.run(id)).logBytes > bytes ? true : null), {
    what: `more than ${bytes} bytes of output to be stored`,
  });
}

function linesUntil(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => `line ${index + 1}\n`);
  return `${lines.join('')}end\n`;
}

function filesFor({ cluster }: Scenario, kind: string): Files {
  const { folder } = cluster.facts;
  return { STARTS: join(folder, `${kind}.starts`), GO: join(folder, `${kind}.go`) };
}

/** A server whose answer goes on until it may end. */
async function serveLines(t: ExecutionContext, { STARTS, GO }: Files): Promise<string> {
  const server = createServer((_request, response) => {
    appendFileSync(STARTS, 'began\n');
    let count = 0;
    const timer = setInterval(() => {
      if (existsSync(GO)) return void response.end('end\n');
      count += 1;
      response.write(`line ${count}\n`);
    }, EVERY_MS);
    response.once('close', () => clearInterval(timer));
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
