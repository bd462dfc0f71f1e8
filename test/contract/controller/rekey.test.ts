import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { signatureOf } from '@understudy/controller/notify/signature';
import type { Report } from '@understudy/shared/protocol/agent';
import type { Run } from '@understudy/shared/protocol/api';
import { makeKeystore } from '@understudy/shared/runtime/keystore';
import test, { type ExecutionContext } from 'ava';
import { makeFolder } from '../../support/keystore.ts';
import { Receiver } from '../history/receiver.ts';
import { Bench, startStore } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const [FIRST, SECOND] = ['hunter2-and-more', 'another-value'];

/** An active controller with a secret, and the new key beside its present one. */
async function setUp(t: ExecutionContext) {
  const keystore = join(makeFolder(t), 'keystore');
  const bench = await Bench.start(t, store.postgres, { keystore });
  await bench.activate(5n);
  await bench.ask('PUT', '/api/v1/secrets/DB', { value: FIRST });
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'], secrets: ['DB'] });
  const { id } = makeKeystore(`${keystore}.next`);
  return { bench, keystore, id };
}

/** The files of another node: what it has of the keys. */
function otherNode(t: ExecutionContext, keystore: string, { hasNext }: { hasNext: boolean }) {
  const path = join(makeFolder(t), 'keystore');
  copyFileSync(keystore, path);
  if (hasNext) copyFileSync(`${keystore}.next`, `${path}.next`);
  return path;
}

const rekey = (bench: Bench, keyId: string) =>
  bench.ask('POST', '/api/v1/secrets/rekey', { keyId });

async function ordered(t: ExecutionContext, bench: Bench) {
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  const run = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body as Run;
  return { worker, run, order: await worker.order('start') };
}

test('F125: with another key all is encrypted anew in one transaction, and goes on as before', async (t) => {
  const { bench, id } = await setUp(t);
  const receiver = await Receiver.open(t);
  const hook = { url: receiver.url, events: ['run.failed'], secret: SECOND };
  await bench.ask('PUT', '/api/v1/hooks/h', hook);
  const { worker, run, order } = await ordered(t, bench);
  t.deepEqual(order.secrets, { DB: FIRST });
  // The run under way was given a value that is a former one by now.
  await bench.ask('PUT', '/api/v1/secrets/DB', { value: SECOND });
  t.like(await rekey(bench, id), { status: 200, body: { keyId: id, secrets: 1, hooks: 1 } });
  const rows = await bench.query(`select k.id, s.key_id, h.sealed ->> 'keyId' as hook,
      k.xmin = s.xmin and s.xmin = h.xmin as same
    from understudy.pair_key k, understudy.secret s, understudy.hook h`);
  t.deepEqual(rows, [{ id, key_id: id, hook: id, same: true }]);
  const said = `${FIRST} and ${SECOND}`;
  const data = Buffer.from(said).toString('base64');
  await worker.report({ type: 'log', run: run.id, attempt: 1, offset: 0, data });
  await worker.report(failed(run.id, said.length));
  const chunks = await bench.query('select data from understudy.run_log order by start');
  const texts = chunks.map((row) => (row as { data: Buffer }).data.toString());
  t.is(texts.join(''), '**************** and *************');
  const { headers, text } = await receiver.first(() => true);
  const timestamp = String(headers['understudy-timestamp']);
  t.is(headers['understudy-signature'], signatureOf(SECOND, timestamp, text));
  await bench.ask('POST', '/api/v1/jobs/j/runs', {});
  t.deepEqual((await worker.order('start')).secrets, { DB: SECOND });
  t.like(await rekey(bench, id), { status: 200, body: { secrets: 0, hooks: 0 } });
  const trail = await bench.ask('GET', '/api/v1/audit?action=secret.rekey');
  t.like(trail.body, { items: [{ subject: id, count: 1 }] });
  t.is((trail.body as { items: unknown[] }).items.length, 1);
});

test('F125: a node with the new key beside the old one takes over, though it was warm with the old one', async (t) => {
  const { bench, keystore, id } = await setUp(t);
  const path = otherNode(t, keystore, { hasNext: true });
  const next = await Bench.start(t, store.postgres, { node: 'b', beside: bench, keystore: path });
  t.is((await rekey(bench, id)).status, 200);
  await next.activate(6n);
  t.deepEqual((await ordered(t, next)).order.secrets, { DB: FIRST });
  // Put in its place it is the key like any other.
  renameSync(`${path}.next`, path);
  const last = await Bench.start(t, store.postgres, { node: 'b', beside: bench, keystore: path });
  await last.activate(7n);
  t.is((await last.ask('PUT', '/api/v1/secrets/DB', { value: SECOND })).status, 200);
});

test('H4: a node that has only the old key is not ready after the change, and does not serve', async (t) => {
  const { bench, keystore, id } = await setUp(t);
  const path = otherNode(t, keystore, { hasNext: false });
  const unfit = { node: 'b', beside: bench, keystore: path } as const;
  // It was warm before.
  const warm = await Bench.start(t, store.postgres, unfit);
  await rekey(bench, id);
  const late = await Bench.start(t, store.postgres, { ...unfit, until: 'notReady' });
  const said = JSON.stringify(await late.said('notReady'));
  t.regex(said, new RegExp(`encrypts its secrets with key ${id}, .* holds key k-.*: copy the key`));
  await warm.grant(6n);
  const trustedUntilNs = `${process.hrtime.bigint() + 60_000_000_000n}`;
  warm.tell({ type: 'activate', tenure: { term: '6', trustedUntilNs } });
  await warm.ended;
  t.is(warm.child.exitCode, 1);
});

test('without that key on the disk of the active nothing is changed, and the message says where it looked', async (t) => {
  const { bench, keystore, id } = await setUp(t);
  const before = await bench.query('select id from understudy.pair_key');
  const isRefused = async (keyId: string, found: string) => {
    const refused = await rekey(bench, keyId);
    t.like(refused, { status: 409, body: { error: { code: 'key-missing' } } });
    const { message } = (refused.body as { error: { message: string } }).error;
    t.is(
      message,
      `key ${keyId} is expected at ${keystore}.next of node a, ${found}: copy it there`,
    );
  };
  await isRefused('k-0123456789abcdef', `where key ${id} is`);
  renameSync(`${keystore}.next`, `${keystore}.away`);
  await isRefused(id, 'where there is nothing');
  t.deepEqual(await bench.query('select id from understudy.pair_key'), before);
  t.is((await rekey(bench, 'the-key')).status, 400);
});

test('a secret that can not be decrypted is named, and nothing is changed', async (t) => {
  const { bench, keystore, id } = await setUp(t);
  await bench.query(`update understudy.secret set nonce = decode('${'00'.repeat(12)}', 'hex')`);
  const next = await Bench.start(t, store.postgres, { node: 'b', beside: bench, keystore });
  await next.activate(6n);
  const refused = await rekey(next, id);
  t.like(refused, { status: 409, body: { error: { code: 'undecryptable' } } });
  t.regex(
    JSON.stringify(refused.body),
    /secret DB can't be decrypted .* set it anew, or remove it/,
  );
  t.is((await next.ask('PUT', '/api/v1/secrets/DB', { value: SECOND })).status, 200);
  t.like(await rekey(next, id), { status: 200, body: { secrets: 1 } });
});

test('a pair without a key store has no key to change', async (t) => {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n);
  const refused = await rekey(bench, 'k-0123456789abcdef');
  t.like(refused, { status: 409, body: { error: { code: 'no-keystore' } } });
});

const failed = (run: string, logBytes: number): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode: 1 },
  ...{ signal: null, reason: null, logBytes },
});
