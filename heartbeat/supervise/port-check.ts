import type { Term } from '@understudy/shared/kernel/term';
import type { Listen } from '@understudy/shared/runtime/config/types';
import { PortConnection } from './port-connection.ts';
import { PortDial } from './port-dial.ts';
import {
  isDecided,
  isFreshDue,
  judgePort,
  type Standing,
  type Standings,
  takenOf,
} from './port-verdict.ts';

export interface PortCheckOptions {
  readonly listen: Listen;
  readonly timeoutMs: number;
  /** Whether the port speaks TLS. */
  readonly isSecure: boolean;
}

/**
 * Asks the controller's port whether it may serve, by `HEAD /readyz`: its answer needs its event loop and a
 * living scheduler, and must come under our term. What the answers prove is judged in `port-verdict.ts`.
 */
export class PortCheck {
  readonly #dial: PortDial;
  readonly #timeoutMs: number;
  #kept: PortConnection | null = null;
  /** A new connection; one that waits for its turn in a storm is asked by check after check. */
  #fresh: PortConnection | null = null;
  #checks = 0;
  #isInDoubt = false;
  #takenBefore: number | null = null;

  constructor({ listen, timeoutMs, isSecure }: PortCheckOptions) {
    this.#dial = new PortDial(listen, isSecure);
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves to what is wrong; null: it serves under `term`. One check at a time; never rejects. */
  async check(term: Term): Promise<string | null> {
    this.#checks += 1;
    if (this.#kept?.isClosed === true) this.#kept = null;
    this.#kept?.ask(term);
    const before = standingOf(this.#kept);
    if (isFreshDue(this.#checks, { isInDoubt: this.#isInDoubt, kept: before })) {
      this.#fresh ??= new PortConnection(this.#dial);
    }
    this.#fresh?.ask(term);
    await this.#untilDecided();
    const standings = this.#standings();
    const limits = { takenBefore: this.#takenBefore, timeoutMs: this.#timeoutMs };
    const problem = judgePort(standings, limits);
    this.#isInDoubt = problem !== null;
    this.#takenBefore = takenOf(standings.kept) ?? this.#takenBefore;
    this.#tidy(standings);
    return problem;
  }

  /** Closes its connections. */
  stop(): void {
    this.#kept?.close();
    this.#fresh?.close();
    this.#kept = null;
    this.#fresh = null;
  }

  #standings(): Standings {
    return { kept: standingOf(this.#kept), fresh: standingOf(this.#fresh) };
  }

  #untilDecided(): Promise<void> {
    return new Promise((resolve) => {
      const connections = [this.#kept, this.#fresh];
      const finish = (): void => {
        clearTimeout(timer);
        for (const each of connections) each?.onChange(null);
        resolve();
      };
      const look = (): void => {
        if (isDecided(this.#standings())) finish();
      };
      const timer = setTimeout(finish, this.#timeoutMs);
      for (const each of connections) each?.onChange(look);
      look();
    });
  }

  /**
   * What was bad is asked no more. A kept one that is silent may still answer, and a new one takes its place
   * when that answers first. A new one that waits does so on, in the queue of the port; but when nobody is taken
   * it may not even be in the queue, for the kernel tries again ever more rarely: then another one is opened.
   */
  #tidy({ kept, fresh }: Standings): void {
    if (kept.type === 'bad') this.#dropKept();
    if (fresh.type === 'well' && kept.type !== 'well') {
      this.#dropKept();
      this.#kept = this.#fresh;
      this.#fresh = null;
    }
    const isWaiting = fresh.type === 'silent' && !(this.#isInDoubt && kept.type === 'well');
    if (isWaiting) return;
    this.#fresh?.close();
    this.#fresh = null;
  }

  #dropKept(): void {
    this.#kept?.close();
    this.#kept = null;
  }
}

function standingOf(connection: PortConnection | null): Standing {
  return connection?.standing ?? { type: 'none' };
}
