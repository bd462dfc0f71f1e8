import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import { askHeartbeat } from '../../cli/client/heartbeat-status.ts';

/** A controller of the pair as a load balancer has to know it. */
export interface PairController {
  /** What it is called in what is written: its node, or its place in the list where that is not known. */
  readonly name: string;
  readonly controller: URL;
  readonly heartbeat: URL;
  /** How the URL of the controller is known, as the end of a sentence. */
  readonly source: string;
}

export interface FindControllersOptions {
  readonly config: Pick<ControllerHostConfig, 'node' | 'controller' | 'heartbeat'>;
  /** URLs of the peers' controllers, in the order of `heartbeat.peers`; empty: nobody gave them. */
  readonly given: readonly string[];
}

const ASK_WITHIN_MS = 2_000;

/**
 * All controllers of the pair, this host's first. A configuration names its peers by their heartbeats only, so
 * each of these is asked for its controller; one that does not answer is taken to be set up as this host is.
 */
export async function findControllers({
  config,
  given,
}: FindControllersOptions): Promise<readonly PairController[]> {
  const { node, controller, heartbeat } = config;
  if (given.length > 0 && given.length !== heartbeat.peers.length) {
    const peers = `heartbeat.peers has ${heartbeat.peers.length} (${heartbeat.peers.join(', ')})`;
    throw new UserError(
      `--controller was given ${given.length} times; expected one URL for each peer, in their order: ${peers}`,
    );
  }
  const own: PairController = {
    name: node,
    controller: new URL(controller.url),
    heartbeat: new URL(heartbeat.url),
    source: 'controller.url of the configuration',
  };
  const peers = heartbeat.peers.map((url, index) => {
    const chosen = given[index];
    return chosen === undefined ? askPeer(url, index, own) : givenPeer(url, index, chosen);
  });
  return [own, ...(await Promise.all(peers))];
}

function givenPeer(url: string, index: number, controller: string): PairController {
  return {
    name: nameAt(index),
    controller: new URL(controller),
    heartbeat: new URL(url),
    source: 'the option --controller',
  };
}

async function askPeer(url: string, index: number, own: PairController): Promise<PairController> {
  const answer = await askHeartbeat(url, ASK_WITHIN_MS);
  const heartbeat = new URL(url);
  const told = answer.kind === 'answered' ? answer.status.controller?.url : null;
  if (answer.kind === 'answered' && told !== null && told !== undefined) {
    const { node } = answer.status;
    return { name: node, controller: new URL(told), heartbeat, source: `the status of ${url}` };
  }
  const controller = new URL(own.controller);
  controller.hostname = heartbeat.hostname;
  const why = answer.kind === 'silent' ? answer.why : 'it tells no controller';
  return {
    name: nameAt(index),
    controller,
    heartbeat,
    source: `a guess, host of the heartbeat and port of the own controller, for ${url} could not be asked (${why}); --controller says it`,
  };
}

function nameAt(index: number): string {
  return `peer${index + 1}`;
}
