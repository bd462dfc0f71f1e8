import type { Network } from '../kernel/network.ts';
import type { Process } from '../kernel/process.ts';
import type { Order } from './messages.ts';

export interface OrderStreamOptions {
  readonly network: Network;
  readonly from: number;
  readonly to: number;
  readonly sender: Process;
  readonly receiver: Process;
  readonly onOrder: (order: Order) => void;
  /** The agent's end is closed. */
  readonly onClosed: () => void;
  /** The controller's end is closed. */
  readonly onLost: () => void;
}

/** One order stream: what is sent arrives in order and once; after a gap nothing more. */
export class OrderStream {
  readonly #options: OrderStreamOptions;
  #sent = 0;
  #received = 0;
  #isOpen = true;
  /** What came before its turn. */
  readonly #early = new Map<number, Order>();

  constructor(options: OrderStreamOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(order: Order): void {
    if (!this.#isOpen) return;
    const { network, from, to } = this.#options;
    const number = this.#sent;
    this.#sent += 1;
    network.send(from, to, () => {
      this.#early.set(number, order);
      this.#deliver();
    });
  }

  /** As far as nothing is missing in between. */
  #deliver(): void {
    const { receiver, onOrder } = this.#options;
    for (;;) {
      const order = this.#early.get(this.#received);
      if (order === undefined) return;
      this.#early.delete(this.#received);
      this.#received += 1;
      receiver.take(() => onOrder(order));
    }
  }

  /** The controller closes its end; the agent learns of it unless the link is cut. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { network, from, to, receiver, onClosed, onLost } = this.#options;
    network.send(from, to, () => receiver.take(onClosed));
    onLost();
  }

  /** The agent hangs up; the controller learns of it unless the link is cut. */
  hangUp(): void {
    const { network, from, to, sender } = this.#options;
    network.send(to, from, () => sender.take(() => this.close()));
  }
}
