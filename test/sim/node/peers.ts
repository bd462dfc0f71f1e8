import type { Held } from '@understudy/heartbeat/lease/port';
import type { Successor } from '@understudy/heartbeat/role/state';
import type { Term } from '@understudy/shared/kernel/term';
import type { World } from '../world.ts';
import type { ConsentSaid, SimHeartbeat } from './heartbeat.ts';
import type { Node } from './node.ts';

const EXCHANGE_EVERY_MS = 1_000;

/** What a heartbeat says of itself. */
interface Said {
  readonly node: string;
  readonly highestTerm: Term;
  readonly tenureOver: Term | null;
}

/** The peer link of a node: exchanges, and asks for testimony. Every question has a time limit. */
export class SimPeers {
  readonly #world: World;
  readonly #node: Node;

  constructor(world: World, node: Node) {
    this.#world = world;
    this.#node = node;
  }

  begin(heartbeat: SimHeartbeat): void {
    const again = () => {
      this.exchangeNow();
      heartbeat.process.timer(heartbeat.nowMs() + EXCHANGE_EVERY_MS, again);
    };
    again();
  }

  exchangeNow(): void {
    const { heartbeat } = this.#node;
    if (heartbeat === null) return;
    for (const peer of this.#others()) {
      const state = whatItSays(heartbeat);
      this.#ask<Said>(
        heartbeat,
        peer,
        (asked, reply) => {
          heard(asked, state);
          reply(whatItSays(asked));
        },
        (answer) => heard(heartbeat, answer),
      );
    }
  }

  askTestimony(held: Held): void {
    const { heartbeat } = this.#node;
    if (heartbeat === null) return;
    for (const peer of this.#others()) {
      this.#ask<string>(
        heartbeat,
        peer,
        (asked, reply) => {
          if (asked.testify(held)) reply(asked.node.name);
        },
        (node) => {
          this.#world.counters.testimonies += 1;
          heartbeat.dispatch({ kind: 'testimony', node, term: held.term });
        },
      );
    }
  }

  askConsent(held: Held, forMs: number): void {
    const { heartbeat } = this.#node;
    if (heartbeat === null) return;
    const sentAt = heartbeat.nowMs();
    const { term } = held;
    for (const peer of this.#others()) {
      this.#ask<ConsentSaid>(
        heartbeat,
        peer,
        (asked, reply) => asked.consent(held, forMs, reply),
        (said) =>
          heartbeat.dispatch(
            'forMs' in said
              ? { kind: 'consent-given', peer: peer.url, term, sentAt, forMs: said.forMs }
              : { kind: 'consent-refused', peer: peer.url, term, sentAt, ...said },
          ),
        2,
      );
    }
  }

  /** Asks a peer to get ready for the role. */
  prepare(to: Node, term: Term, ready: (successor: Successor) => void): void {
    const { heartbeat } = this.#node;
    if (heartbeat === null) return;
    this.#ask<Successor>(
      heartbeat,
      to,
      (asked, reply) => {
        const holder = { node: to.name, incarnation: asked.incarnation };
        if (asked.expect(term)) reply({ holder, controllerUrl: to.url });
      },
      ready,
    );
  }

  /** Asks whoever is active to hand the role over to this node. */
  askSwitchOver(): void {
    const { heartbeat } = this.#node;
    if (heartbeat === null) return;
    for (const peer of this.#others()) {
      const ask = (asked: SimHeartbeat) => asked.switchOver(this.#node);
      this.#ask<null>(heartbeat, peer, ask, () => undefined);
    }
  }

  #others(): readonly Node[] {
    return this.#world.nodes.filter((each) => each !== this.#node);
  }

  #ask<T>(
    heartbeat: SimHeartbeat,
    peer: Node,
    answer: (asked: SimHeartbeat, reply: (value: T) => void) => void,
    done: (value: T) => void,
    patience = 1,
  ): void {
    const { network, rules, knobs } = this.#world;
    const [own, its] = [this.#node.place, peer.place];
    const deadlineMs = heartbeat.nowMs() + patience * Math.max(knobs.timers.callTimeoutMs, 100);
    const refused = () => {
      if (rules.refusalIsNoProof) return;
      // What a mutant makes of a refused connection.
      const term = heartbeat.state.watch.row?.term ?? 0n;
      heartbeat.dispatch({ kind: 'testimony', node: peer.name, term });
    };
    const isSent = network.send(own, its, () => {
      const asked = peer.heartbeat;
      if (asked === null) {
        if (!peer.isOff) network.send(its, own, () => heartbeat.process.take(refused));
        return;
      }
      asked.process.take(() => {
        answer(asked, (value) => {
          network.send(its, own, () =>
            heartbeat.process.take(() => {
              if (heartbeat.nowMs() <= deadlineMs) done(value);
            }),
          );
        });
      });
    });
    if (!isSent) heartbeat.process.timer(heartbeat.nowMs() + 1, refused);
  }
}

function whatItSays({ node, state, tenureOver }: SimHeartbeat): Said {
  return { node: node.name, highestTerm: state.highestTerm, tenureOver };
}

function heard(heartbeat: SimHeartbeat, said: Said): void {
  if (!heartbeat.isRunning) return;
  if (said.highestTerm > heartbeat.state.highestTerm) {
    heartbeat.dispatch({ kind: 'heard-term', term: said.highestTerm });
  }
  const { row } = heartbeat.state.watch;
  const isOver = said.tenureOver !== null && row !== null && row.term <= said.tenureOver;
  if (isOver && row.holder?.node === said.node && !row.released) {
    heartbeat.dispatch({ kind: 'peer-hint' });
  }
}
