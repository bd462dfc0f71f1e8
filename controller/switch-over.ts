import type { ClientCredentials } from '@understudy/shared/runtime/tls/connect';
import type { Failpoints } from './failpoints.ts';
import { Forwarder } from './http/forwarder.ts';
import type { ApiServer } from './http/server.ts';
import type { Scheduler } from './scheduler/scheduler.ts';
import type { Committer } from './store/committer.ts';
import type { TenureGuard } from './tenure/guard.ts';
import type { AgentService } from './work/agents.ts';
import type { Dispatcher } from './work/dispatcher.ts';

export interface SwitchOverParts {
  readonly pair: string;
  readonly node: string;
  readonly credentials: ClientCredentials | null;
  readonly guard: TenureGuard;
  readonly server: Pick<ApiServer, 'gate' | 'divert' | 'sendIdleAway'>;
  /** Users come under an address that moves with the role: a connection that stays open breaks then. */
  readonly isAddressMoving: boolean;
  readonly scheduler: Pick<Scheduler, 'pause' | 'resume' | 'stop'>;
  readonly dispatcher: Pick<Dispatcher, 'pause' | 'resume' | 'stop' | 'isIdle' | 'whenIdle'>;
  readonly committer: Pick<Committer, 'isIdle' | 'whenIdle' | 'isAway'>;
  readonly agents: Pick<AgentService, 'leave'>;
  /** What goes on beside the requests. */
  readonly background: readonly Background[];
  readonly failpoints: Failpoints;
}

/** Work that nobody waits for, but that writes for the term. */
export interface Background {
  start(): void;
  /** It begins nothing more until it is started again. */
  pause(): void;
  stop(): void;
  /** What must not be cut off has ended. */
  readonly isIdle: boolean;
  whenIdle(): Promise<void>;
}

/** `called-off`: it was told to resume before it was done. */
export type Held =
  | { readonly type: 'held' }
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'called-off' };

/**
 * How a tenure is handed over without a failed request. Each step can be taken back until the last: nothing
 * new is begun; what is under way ends; nothing may be done for the term; all is sent on.
 */
export class SwitchOver {
  readonly #parts: SwitchOverParts;
  #phase: 'none' | 'holding' | 'held' | 'forwarding' = 'none';

  constructor(parts: SwitchOverParts) {
    this.#parts = parts;
  }

  /** How many requests wait. */
  get parked(): number {
    return this.#parts.server.gate.parked;
  }

  /** Parks what comes and waits until nothing is under way, for `forMs` at most; else all goes on. */
  async hold(forMs: number): Promise<Held> {
    if (this.#phase === 'held') return { type: 'held' };
    if (this.#phase !== 'none') return { type: 'failed', reason: `it is ${this.#phase} already` };
    const { guard, server, scheduler, dispatcher, failpoints } = this.#parts;
    failpoints.pass('before-hold');
    const obstacle = this.#obstacle();
    if (obstacle !== null) return { type: 'failed', reason: obstacle };
    this.#phase = 'holding';
    server.gate.park();
    scheduler.pause();
    dispatcher.pause();
    for (const each of this.#parts.background) each.pause();
    failpoints.pass('after-hold');
    await this.#untilQuiet(forMs);
    if (this.#phase !== 'holding') return { type: 'called-off' };
    const reason = this.#disquiet();
    if (reason !== null) {
      this.resume();
      return { type: 'failed', reason };
    }
    guard.hold();
    this.#phase = 'held';
    return { type: 'held' };
  }

  /** Goes on as before. */
  resume(): void {
    if (this.#phase !== 'holding' && this.#phase !== 'held') return;
    const { guard, server, scheduler, dispatcher } = this.#parts;
    this.#phase = 'none';
    guard.resume();
    dispatcher.resume();
    scheduler.resume();
    for (const each of this.#parts.background) each.start();
    server.gate.open();
  }

  /** This process is to end: who waits is answered, if only by a refusal. */
  end(): void {
    if (this.#phase === 'holding') this.resume();
    else if (this.#phase === 'held') this.#parts.server.gate.open();
  }

  /** The tenure is somebody else's: this process only sends on what it gets, for the rest of its life. */
  forward(to: string): void {
    if (this.#phase === 'forwarding') return;
    const { pair, node, credentials, guard, server, isAddressMoving } = this.#parts;
    const { scheduler, dispatcher, agents, failpoints } = this.#parts;
    this.#phase = 'forwarding';
    if (isAddressMoving) server.sendIdleAway();
    guard.hold();
    scheduler.stop();
    dispatcher.stop();
    for (const each of this.#parts.background) each.stop();
    agents.leave(to);
    const onForward = () => failpoints.pass('during-forward');
    const forwarder = new Forwarder({
      ...{ to, pair, credentials, name: node },
      ...{ isAddressMoving, onForward },
    });
    server.divert(forwarder.answer);
  }

  /** What ends may begin something else, so all are looked at again after each wait. */
  async #untilQuiet(forMs: number): Promise<void> {
    const { guard, server, dispatcher, committer, background } = this.#parts;
    let limit: NodeJS.Timeout | undefined;
    let isLate = false;
    const late = new Promise<void>((resolve) => {
      limit = setTimeout(() => {
        isLate = true;
        resolve();
      }, forMs);
    });
    while (this.#phase === 'holding' && !isLate && this.#disquiet() !== null) {
      const ends = [server.gate, dispatcher, committer, ...background].map((part) =>
        part.whenIdle(),
      );
      await Promise.race([Promise.all([...ends, guard.untilMayAct()]), late]);
    }
    clearTimeout(limit);
  }

  /** Why it can't be handed over at this moment; null when it can. */
  #disquiet(): string | null {
    const { server, dispatcher, committer, background } = this.#parts;
    if (!background.every(({ isIdle }) => isIdle)) return 'history is being removed';
    if (!committer.isIdle) return 'changes are not committed yet';
    if (server.gate.underWay > 0) return `${server.gate.underWay} requests are under way`;
    if (!dispatcher.isIdle) return 'orders have not gone out yet';
    return this.#obstacle();
  }

  /** What waiting does not help against. */
  #obstacle(): string | null {
    const { guard, committer } = this.#parts;
    if (committer.isAway) return 'the database does not take changes';
    return guard.mayAct() ? null : 'the tenure is in doubt';
  }
}
