import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { layerFaults, pureFolders } from './rules/layers.ts';
import { parseSource } from './source.ts';
import { readSources, root } from './tree.ts';

test('imports run one way through the whole tree', (t) => {
  const sources = readSources();
  t.true(sources.length > 20);
  t.deepEqual(sources.flatMap(layerFaults), []);
});

test('the page on the architecture names every pure folder', (t) => {
  const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  for (const folder of pureFolders) t.true(page.includes(`\`${folder}\``), folder);
});

const refused = test.macro({
  exec(t, path: string, text: string) {
    t.is(layerFaults(parseSource(path, text)).length, 1);
  },
  title: (_, path: string, text: string) => `it catches in ${path}: ${text}`,
});
const allowed = test.macro({
  exec(t, path: string, text: string) {
    t.deepEqual(layerFaults(parseSource(path, text)), []);
  },
  title: (_, path: string, text: string) => `it allows in ${path}: ${text}`,
});

test(refused, 'heartbeat/main.ts', "import { a } from '@understudy/controller/store/pool';");
test(refused, 'controller/main.ts', "import { a } from '../agent/worker/run.ts';");
test(refused, 'agent/main.ts', "import type { A } from '@understudy/heartbeat/lease/port';");
test(refused, 'agent/main.ts', "export { a } from '@understudy/controller/http/app';");
test(refused, 'shared/runtime/log.ts', "import { a } from '../../heartbeat/role/step.ts';");
test(refused, 'heartbeat/main.ts', "import { a } from '@understudy/scripts/postgres/start';");
test(refused, 'heartbeat/role/step.ts', "import { readFileSync } from 'node:fs';");
test(refused, 'heartbeat/role/step.ts', "import { z } from 'zod';");
test(refused, 'heartbeat/role/step.ts', "import 'winston';");
test(refused, 'heartbeat/role/step.ts', "import { a } from '../lease/postgres.ts';");
test(refused, 'heartbeat/role/step.ts', "import { a } from '../lease/port.ts';");
test(refused, 'controller/dispatch/plan.ts', "const a = import('../store/pool.ts');");
test(refused, 'agent/follow/step.ts', "import { a } from '@understudy/shared/runtime/clock';");
test(refused, 'shared/kernel/term.ts', "import { a } from '../protocol/tenure.ts';");
test(refused, 'shared/protocol/api.ts', "import { a } from '../runtime/log.ts';");
test(refused, 'controller/tenure/load.ts', "import { Pool } from 'pg';");
test(refused, 'heartbeat/driver.ts', "import axios from 'axios';");
test(refused, 'controller/main.ts', "import type { Context } from 'koa';");

test(allowed, 'heartbeat/role/step.ts', "import type { LeaseRow } from '../lease/port.ts';");
test(allowed, 'heartbeat/role/step.ts', "import { type A, type B } from '../lease/port.ts';");
test(allowed, 'heartbeat/role/step.ts', "import { judge } from '../suspicion/watch.ts';");
test(allowed, 'heartbeat/role/step.ts', "import { a } from '@understudy/shared/kernel/term';");
test(allowed, 'shared/protocol/api.ts', "import { z } from 'zod';");
test(allowed, 'scripts/local/start.ts', "import { a } from '@understudy/controller/store/pool';");
test(allowed, 'controller/store/pool.ts', "import { Pool } from 'pg';");
test(allowed, 'controller/main.ts', "// import { a } from '../agent/worker/run.ts';");
