import type { StartOrder } from '@understudy/shared/protocol/agent';
import type { HostedStart } from '../host/link.ts';
import { type Account, accountFor } from './account.ts';
import { environmentOf, hostEnvironment } from './environment.ts';
import { type Executed, execute, type Premises } from './execute.ts';
import { carries } from './leftovers.ts';
import type { ModuleHosts } from './module-hosts.ts';

/** What a worker has for its attempts. */
export interface Workshop extends Premises {
  readonly hosts: ModuleHosts;
  /** `<pair>/<agent>/` and the incarnation. */
  readonly ownerPrefix: string;
  readonly incarnation: string;
  readonly data: string;
  /** As whom programs may run, beside the agent's own user. */
  readonly users: readonly string[];
}

/** Where the parts of an attempt belong. */
export interface AttemptPlace {
  readonly id: string;
  /** The file that gets its output. */
  readonly log: string;
}

/** Starts what an order asks for: a program of its own, or something in the module host. */
export async function perform(
  order: StartOrder,
  place: AttemptPlace,
  workshop: Workshop,
): Promise<Executed> {
  const { command, shell } = order;
  const argv = shell === undefined ? command : ['/bin/sh', '-c', shell];
  if (argv === undefined) return performHosted(order, place, workshop);
  let account: Account | null = null;
  if (order.user !== null) {
    const uid = process.getuid?.() ?? -1;
    const found = await accountFor(order.user, { users: workshop.users, uid });
    if (found.type === 'refused') return { type: 'not-started', reason: found.reason };
    if (found.type === 'other') account = found.account;
  }
  const { ownerPrefix, incarnation, data } = workshop;
  const owner = `${ownerPrefix}${incarnation}`;
  const marker = { owner: ownerPrefix, data, attempt: order };
  return await execute(
    {
      command: argv,
      env: environmentOf({ ...order, owner, data, account }, process.env),
      cwd: order.cwd,
      account,
      timeoutMs: order.timeoutMs,
      graceMs: order.graceMs,
      log: place.log,
      outputLimit: order.output,
      carries: (environment) => carries(environment, marker),
    },
    workshop,
  );
}

function performHosted(order: StartOrder, place: AttemptPlace, { hosts }: Workshop): Executed {
  const { run, attempt, job, term, scheduledFor, parameters, env, timeoutMs, graceMs } = order;
  const action = hostedActionOf(order);
  if (action === null) return { type: 'not-started', reason: 'there is nothing to do' };
  const start = {
    ...{ run, attempt, job, scheduledFor, parameters, action },
    env: { ...env, ...order.secrets },
    ...{ id: place.id, log: place.log, term: String(term), outputLimit: order.output },
  };
  return hosts.start({ start, timeoutMs, graceMs });
}

function hostedActionOf({ http, module }: StartOrder): HostedStart['action'] | null {
  if (module !== undefined) return { type: 'module', module };
  return http === undefined ? null : { type: 'http', http };
}

/** The environment of the module hosts of a worker. */
export function environmentOfHosts({
  ownerPrefix,
  incarnation,
  data,
}: Pick<Workshop, 'ownerPrefix' | 'incarnation' | 'data'>): Record<string, string> {
  return hostEnvironment({ owner: `${ownerPrefix}${incarnation}`, data }, process.env);
}
