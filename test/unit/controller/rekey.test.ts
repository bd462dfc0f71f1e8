import { join } from 'node:path';
import type { HookService } from '@understudy/controller/notify/hooks';
import { NOBODY } from '@understudy/controller/security/audit';
import { Keyring } from '@understudy/controller/security/keyring';
import { RekeyService } from '@understudy/controller/security/rekey';
import { SecretBook } from '@understudy/controller/security/secrets';
import type { Changes } from '@understudy/controller/store/changes';
import type { TenureContext } from '@understudy/controller/work/context';
import { Refusal } from '@understudy/controller/work/refusal';
import { makeKeystore } from '@understudy/shared/runtime/keystore';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';
import { makeFolder } from '../../support/keystore.ts';

/** What a value may have at most. */
const LONGEST_SECRET = 65_536;

test('more secrets than one transaction takes are refused, and the old key stays', async (t) => {
  const path = join(makeFolder(t), 'keystore');
  const old = makeKeystore(path);
  const next = makeKeystore(`${path}.next`);
  const keyring = new Keyring(old);
  const commits: Changes[] = [];
  const apply = async (changes: Changes) => void commits.push(changes);
  const context = {
    ...{ pair: 'orders', node: 'a', term: 7n, clock: { wallMs: () => 1_000 }, log: silentLog },
    committer: { isAway: false, isFull: false, onGivenUp: () => () => undefined },
  } as unknown as TenureContext;
  const secrets = new SecretBook(context, {
    ...{ keyring, apply },
    useOf: () => ({ jobs: [], runs: 0 }),
  });
  const hooks = { sealedWith: () => [], decide: () => undefined } as unknown as HookService;
  const rekeying = new RekeyService({
    ...{ context, keyring, secrets, hooks, path },
    state: { apply } as never,
  });
  const long = 'x'.repeat(LONGEST_SECRET);
  // One more would fit, were nothing added to each when it is sealed.
  const most = (16 * 1024 * 1024) / LONGEST_SECRET - 1;
  for (let index = 0; index < most; index += 1) await secrets.set(`S${index}`, long, 'ops');
  await secrets.set('ONE_MORE', long, 'ops');
  commits.length = 0;
  const refused = await t.throwsAsync(rekeying.rekey(next.id, NOBODY), { instanceOf: Refusal });
  t.regex(refused?.message ?? '', /^the secrets have 1678\d{4} bytes, and no more than 16777216 /);
  t.is(keyring.current?.id, old.id);
  t.deepEqual(commits, []);
  await secrets.remove('ONE_MORE');
  const { keyId, secrets: count } = await rekeying.rekey(next.id, NOBODY);
  t.deepEqual([keyId, count], [next.id, most], 'what just fits is taken');
  t.is(commits.at(-1)?.pairKey, next.id);
});
