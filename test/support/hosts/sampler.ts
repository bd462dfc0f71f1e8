import { setTimeout as delay } from 'node:timers/promises';
import { asListed, type NetworkHost } from '@understudy/scripts/hosts/network-host';
import type { Owner } from '../cluster/owner.ts';
import type { AddressSample } from '../invariants/address.ts';

const EVERY_MS = 50;

/** Looks twenty times a second which of these hosts have an address, each for itself, until the test is over. */
export class AddressSampler {
  readonly samples: AddressSample[] = [];
  readonly #hosts: readonly NetworkHost[];
  readonly #address: string;
  readonly #stopped = new AbortController();

  private constructor(hosts: readonly NetworkHost[], address: string) {
    this.#hosts = hosts;
    this.#address = asListed(address);
  }

  static start(owner: Owner, hosts: readonly NetworkHost[], address: string): AddressSampler {
    const sampler = new AddressSampler(hosts, address);
    const turning = sampler.#turn();
    owner.teardown(async () => {
      sampler.#stopped.abort();
      await turning;
    });
    return sampler;
  }

  /** Who has it now. */
  get holders(): readonly string[] {
    return this.#hosts
      .filter((host) => host.addresses().has(this.#address))
      .map(({ name }) => name);
  }

  async #turn(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      this.samples.push({ at: process.hrtime.bigint(), holders: this.holders });
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
