import type { ExecutionContext, TestFn } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { claimOf, grantTo, type NodeLease, readRow } from './support/claims.ts';

/** What an adapter offers to the suite: a prepared pair, and access to its lease for any life of any node. */
export interface LeaseHarness {
  node(name: string): NodeLease;
}

const LONG_MS = 60_000;
/** A lease that runs out while a test waits for it. */
const SHORT_MS = 50;

/** The suite that every adapter of `LeaseStore` passes. */
export function leaseContract(
  test: TestFn<unknown>,
  adapter: string,
  makeHarness: (t: ExecutionContext) => Promise<LeaseHarness>,
): void {
  const contract = (
    title: string,
    check: (t: ExecutionContext, harness: LeaseHarness) => Promise<void>,
  ) => test(`${adapter}: ${title}`, async (t) => check(t, await makeHarness(t)));

  contract('A lease that was never granted is free', async (t, { node }) => {
    const row = await readRow(node('a'));
    t.is(row.term, 0n);
    t.is(row.holder, null);
    t.true(row.released);
  });

  contract(
    'A claim is granted with a higher term, to one life of one node',
    async (t, { node }) => {
      const a = node('a');
      const before = await readRow(a);
      const answer = await a.claim(claimOf('a', a, before, { ttlMs: LONG_MS }));
      t.is(answer.kind, 'granted');
      const row = await readRow(node('b'));
      t.true(row.term > before.term);
      t.deepEqual(row.holder, { node: 'a', incarnation: a.incarnation });
      t.is(row.ttlMs, LONG_MS);
      t.false(row.released);
      t.false(row.storeSaysExpired);
    },
  );

  contract('F26: Of many claims at once exactly one is granted', async (t, { node }) => {
    const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, lease: node(name) }));
    for (let round = 0; round < 5; round += 1) {
      const observed = await readRow(node('observer'));
      const answers = await Promise.all(
        nodes.map(({ name, lease }) =>
          lease.claim(claimOf(name, lease, observed, { basis: 'testified' })),
        ),
      );
      const kinds = answers.map(({ kind }) => kind).sort();
      t.deepEqual(kinds, ['granted', ...nodes.slice(1).map(() => 'refused')]);
    }
  });

  contract('A claim on what has changed since is refused', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const granted = await grantTo('a', a);
    await a.renew({ term: granted.term, incarnation: a.incarnation });
    const answer = await b.claim(claimOf('b', b, granted, { basis: 'testified' }));
    t.is(answer.kind, 'refused');
    t.is((await readRow(b)).term, granted.term);
  });

  contract('A lease that was not released is not free', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const answer = await b.claim(claimOf('b', b, await grantTo('a', a)));
    t.is(answer.kind, 'refused');
  });

  contract('Silence counts only once the lease has expired in the store', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const long = await grantTo('a', a, { ttlMs: LONG_MS });
    t.is((await b.claim(claimOf('b', b, long, { basis: 'silence' }))).kind, 'refused');
    const short = await grantTo('a', a, { ttlMs: SHORT_MS });
    await untilExpired(b);
    t.is((await b.claim(claimOf('b', b, short, { basis: 'silence' }))).kind, 'granted');
  });

  contract(
    'F76: After silence of three lease times the store need not agree that it expired',
    async (t, { node }) => {
      const [a, b] = [node('a'), node('b')];
      const observed = await grantTo('a', a, { ttlMs: LONG_MS });
      const claim = claimOf('b', b, observed, { basis: 'silence', evenIfNotExpired: true });
      t.is((await b.claim(claim)).kind, 'granted');
    },
  );

  contract('Testimony breaks a lease that has not expired', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const observed = await grantTo('a', a, { ttlMs: LONG_MS });
    const answer = await b.claim(claimOf('b', b, observed, { basis: 'testified' }));
    t.is(answer.kind, 'granted');
    t.is((await a.renew({ term: observed.term, incarnation: a.incarnation })).kind, 'refused');
  });

  contract(
    'F87: A forced claim takes the lease from a holder that lives, as it was read just now',
    async (t, { node }) => {
      const [a, b] = [node('a'), node('b')];
      const observed = await grantTo('a', a, { ttlMs: LONG_MS });
      const held = { term: observed.term, incarnation: a.incarnation };
      await a.renew(held);
      t.is((await b.claim(claimOf('b', b, observed, { basis: 'forced' }))).kind, 'refused');
      const answer = await b.claim(claimOf('b', b, await readRow(b), { basis: 'forced' }));
      t.is(answer.kind, 'granted');
      t.is((await a.renew(held)).kind, 'refused');
      t.deepEqual((await readRow(a)).holder, { node: 'b', incarnation: b.incarnation });
    },
  );

  contract(
    'F67: The granted term is above the highest term that was heard of',
    async (t, { node }) => {
      const highestTerm = (1n << 53n) + 1n;
      const row = await grantTo('a', node('a'), { highestTerm });
      t.is(row.term, highestTerm + 1n);
    },
  );

  contract('A renewal keeps term and holder and counts one up', async (t, { node }) => {
    const a = node('a');
    const granted = await grantTo('a', a);
    const renewed = await a.renew({ term: granted.term, incarnation: a.incarnation });
    t.is(renewed.kind, 'granted');
    const row = await readRow(a);
    t.is(row.term, granted.term);
    t.is(row.renewSeq, granted.renewSeq + 1n);
  });

  contract('Only the tenure itself renews, releases and hands over', async (t, { node }) => {
    const [a, b] = [node('a'), node('a')];
    const { term } = await grantTo('a', a);
    const to = { node: 'b', incarnation: b.incarnation };
    for (const held of [
      { term, incarnation: b.incarnation },
      { term: term - 1n, incarnation: a.incarnation },
      { term: term + 1n, incarnation: a.incarnation },
    ]) {
      t.is((await b.renew(held)).kind, 'refused');
      t.is((await b.release(held)).kind, 'refused');
      t.is((await b.break(held)).kind, 'refused');
      t.is((await b.handOver(held, 0n, to)).kind, 'refused');
    }
    t.is((await a.renew({ term, incarnation: a.incarnation })).kind, 'granted');
  });

  contract(
    'F58: A late renewal does not raise an expired lease from the dead',
    async (t, { node }) => {
      const a = node('a');
      const { term } = await grantTo('a', a, { ttlMs: SHORT_MS });
      await untilExpired(a);
      const held = { term, incarnation: a.incarnation };
      t.is((await a.renew(held)).kind, 'refused');
      t.is((await a.handOver(held, 0n, { node: 'b', incarnation: 'b' })).kind, 'refused');
      t.true((await readRow(a)).storeSaysExpired);
    },
  );

  contract('A released lease is free at once, and is not renewed again', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const held = { term: (await grantTo('a', a)).term, incarnation: a.incarnation };
    t.is((await a.release(held)).kind, 'released');
    t.is((await a.renew(held)).kind, 'refused');
    t.is((await a.release(held)).kind, 'released', 'a lost answer can be asked for again');
    const observed = await readRow(b);
    t.true(observed.released);
    const answer = await b.claim(claimOf('b', b, observed));
    t.is(answer.kind, 'granted');
    t.is((await a.release(held)).kind, 'refused');
  });

  contract('The lease of an earlier life can be broken', async (t, { node }) => {
    const [old, next] = [node('a'), node('a')];
    const { term } = await grantTo('a', old);
    t.is((await next.break({ term, incarnation: old.incarnation })).kind, 'released');
    t.is((await old.renew({ term, incarnation: old.incarnation })).kind, 'refused');
    t.true((await readRow(next)).released);
  });

  contract('Handing over gives the peer the next term without a gap', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const { term } = await grantTo('a', a);
    const to = { node: 'b', incarnation: b.incarnation };
    const answer = await a.handOver({ term, incarnation: a.incarnation }, 0n, to);
    t.is(answer.kind, 'handed-over');
    const row = await readRow(b);
    t.is(row.term, term + 1n);
    t.deepEqual(row.holder, to);
    t.false(row.released || row.storeSaysExpired);
    t.is((await a.renew({ term, incarnation: a.incarnation })).kind, 'refused');
    t.is((await b.renew({ term: row.term, incarnation: b.incarnation })).kind, 'granted');
  });

  contract(
    'A renewal that came first makes a hand-over impossible, which settles one of unknown outcome',
    async (t, { node }) => {
      const [a, b] = [node('a'), node('b')];
      const granted = await grantTo('a', a);
      const held = { term: granted.term, incarnation: a.incarnation };
      t.is((await a.renew(held)).kind, 'granted');
      const to = { node: 'b', incarnation: b.incarnation };
      t.is((await a.handOver(held, granted.renewSeq, to)).kind, 'refused');
      t.is((await a.handOver(held, granted.renewSeq + 1n, to)).kind, 'handed-over');
    },
  );

  contract(
    'F44: A holder revives its own expired lease, and nobody else and no released one',
    async (t, { node }) => {
      const [a, b] = [node('a'), node('b')];
      const { term } = await grantTo('a', a, { ttlMs: SHORT_MS });
      await untilExpired(a);
      const held = { term, incarnation: a.incarnation };
      const revive = { evenIfExpired: true };
      t.is((await b.renew({ term, incarnation: b.incarnation }, revive)).kind, 'refused');
      t.is((await a.renew(held, { evenIfExpired: false })).kind, 'refused');
      t.is((await a.renew(held, revive)).kind, 'granted');
      const revived = await readRow(b);
      t.is(revived.term, term);
      t.is(revived.renewSeq, 1n, 'whoever watches sees a change');
      await a.release(held);
      t.is((await a.renew(held, revive)).kind, 'refused');
    },
  );

  contract('F44: A lease that somebody claimed meanwhile is not revived', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const granted = await grantTo('a', a, { ttlMs: SHORT_MS });
    await untilExpired(a);
    t.is((await b.claim(claimOf('b', b, granted, { basis: 'silence' }))).kind, 'granted');
    const held = { term: granted.term, incarnation: a.incarnation };
    t.is((await a.renew(held, { evenIfExpired: true })).kind, 'refused');
  });

  contract(
    'F88: In a pause only the last holder claims, or whom an operator orders',
    async (t, { node }) => {
      const [a, b] = [node('a'), node('b')];
      const { term } = await grantTo('a', a);
      const paused = await b.pause(LONG_MS);
      t.true(paused.kind === 'read' && (paused.row.pausedForMs ?? 0) > LONG_MS / 2);
      await a.release({ term, incarnation: a.incarnation });
      const free = await readRow(b);
      const answer = await b.claim(claimOf('b', b, free));
      t.true(answer.kind === 'refused' && answer.holdsStill);
      const again = await a.claim(claimOf('a', a, free));
      t.is(again.kind, 'granted');
      await a.release({ term: term + 1n, incarnation: a.incarnation });
      const ordered = await b.claim(claimOf('b', b, await readRow(b), { ordered: true }));
      t.is(ordered.kind, 'granted');
      const over = await b.pause(null);
      t.true(over.kind === 'read' && over.row.pausedForMs === null);
    },
  );

  contract('F88: A pause ends by itself', async (t, { node }) => {
    const a = node('a');
    await grantTo('a', a);
    await a.pause(SHORT_MS);
    await eventually(async () => ((await readRow(a)).pausedForMs === null ? true : null), {
      what: 'the pause to end',
    });
    t.pass();
  });

  contract('F52: Past the limit of claims the pair holds still', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    const limit = { claims: 3, windowMs: LONG_MS };
    for (const [name, lease] of [
      ['a', a],
      ['b', b],
      ['a', a],
    ] as const) {
      const answer = await lease.claim(claimOf(name, lease, await readRow(lease), { limit }));
      t.is(answer.kind, 'granted');
      if (answer.kind !== 'granted') return;
      await lease.release({ term: answer.row.term, incarnation: lease.incarnation });
    }
    const answer = await b.claim(claimOf('b', b, await readRow(b), { limit }));
    t.true(answer.kind === 'refused' && answer.holdsStill, JSON.stringify(answer.kind));
    t.is((await a.claim(claimOf('a', a, await readRow(a), { limit }))).kind, 'granted');
  });

  contract('F53: The store says which one it is', async (t, { node }) => {
    const [one, other] = [await node('a').identity(), await node('b').identity()];
    t.is(one.kind, 'identity');
    t.deepEqual(one, other);
  });

  contract('Whoever waits is told that the lease was let go', async (t, { node }) => {
    const [a, b] = [node('a'), node('b')];
    let hints = 0;
    const unsubscribe = b.onHint(() => {
      hints += 1;
    });
    const { term } = await grantTo('a', a);
    await eventually(() => hints || null, { what: 'a hint at the grant' });
    const before = hints;
    await a.release({ term, incarnation: a.incarnation });
    await eventually(() => (hints > before ? hints : null), { what: 'a hint at the release' });
    unsubscribe();
    const after = hints;
    await grantTo('a', a);
    await readRow(b);
    t.is(hints, after);
  });

  contract('A closed store answers failed and does not throw', async (t, { node }) => {
    const a = node('a');
    const observed = await readRow(a);
    await a.close();
    const held = { term: 1n, incarnation: a.incarnation };
    const answers = [
      await a.read(),
      await a.claim(claimOf('a', a, observed)),
      await a.renew(held),
      await a.release(held),
      await a.break(held),
      await a.handOver(held, 0n, { node: 'b', incarnation: 'b' }),
      await a.pause(1_000),
      await a.identity(),
      await a.probe(),
    ];
    for (const answer of answers) t.is(answer.kind, 'failed');
  });
}

async function untilExpired(lease: NodeLease): Promise<void> {
  await eventually(async () => ((await readRow(lease)).storeSaysExpired ? true : null), {
    what: 'the lease to expire',
  });
}
