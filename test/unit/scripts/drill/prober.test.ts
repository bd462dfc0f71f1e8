import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Observed, type Prober, startProber } from '@understudy/scripts/drill/prober';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../../support/cluster/eventually.ts';

async function server(t: ExecutionContext, answer: () => number): Promise<URL> {
  const listening = createServer((_request, response) => {
    response.statusCode = answer();
    response.end('x');
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.teardown(() => listening.close());
  return new URL(`http://127.0.0.1:${(listening.address() as AddressInfo).port}/`);
}

function until(prober: Prober, holds: (observed: Observed) => boolean): Promise<Observed> {
  return eventually(
    async () => {
      const observed = prober.observed();
      return holds(observed) ? observed : null;
    },
    { what: 'the prober to see it' },
  );
}

test('the prober finds the longest time without a good answer', async (t) => {
  let status = 200;
  const url = await server(t, () => status);
  const prober = startProber({ urls: [url], token: 'token', ca: null });
  t.teardown(() => prober.stop());
  await until(prober, ({ answered }) => answered > 5);
  prober.begin();
  status = 503;
  await until(prober, ({ longestSilenceMs, failed }) => longestSilenceMs > 200 && failed > 5);
  status = 200;
  const { longestSilenceMs } = await until(prober, ({ answered }) => answered > 5);
  t.true(longestSilenceMs > 200);
});

test('users are served as long as one of the addresses answers', async (t) => {
  const url = await server(t, () => 200);
  const nobody = new URL('http://127.0.0.1:9/');
  const prober = startProber({ urls: [nobody, url], token: 'token', ca: null });
  t.teardown(() => prober.stop());
  const { answered, failed } = await until(prober, (seen) => seen.answered > 5 && seen.failed > 5);
  t.true(answered > 5 && failed > 5);
});
