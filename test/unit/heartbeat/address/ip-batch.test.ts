import { isAbsolute } from 'node:path';
import { IpBatch } from '@understudy/heartbeat/address/ip-batch';
import { findProgram } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';

const isMissing = !isAbsolute(findProgram('ip'));

/** A test that needs iproute2. */
function withIp(title: string, check: (t: ExecutionContext) => Promise<void>): void {
  test(title, async (t) => {
    if (!isMissing) return await check(t);
    t.log('skipped: ip (iproute2) is not installed');
    t.is(process.env['CI'], undefined);
  });
}

withIp('what `ip` says of a command that it does not know is told, and nothing else', async (t) => {
  const error = await new IpBatch().run(['addr frobnicate'], 10_000);
  t.regex(error ?? '', /^ip: .*frobnicate/);
  t.notRegex(error ?? '', /Command failed -/);
});

withIp('commands that go well say nothing', async (t) => {
  t.is(await new IpBatch().run(['addr show', 'link show'], 10_000), null);
});

withIp('one that hangs is killed at its time limit, one that is broken off at once', async (t) => {
  t.regex((await new IpBatch().run(['monitor address'], 300)) ?? '', /no answer within 300 ms/);
  const batch = new IpBatch();
  const running = batch.run(['monitor address'], 60_000);
  batch.breakOff();
  t.regex((await running) ?? '', /it was broken off/);
});

withIp('that something is not there which is to be removed is no error', async (t) => {
  t.is(await new IpBatch().run(['route del 192.0.2.1 dev lo', 'addr show'], 10_000), null);
  const both = ['route del 192.0.2.1 dev lo', 'addr frobnicate'];
  t.regex((await new IpBatch().run(both, 10_000)) ?? '', /^ip: [^;]*frobnicate/);
});
