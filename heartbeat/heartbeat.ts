import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { PeerState } from '@understudy/shared/protocol/peer';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { version } from '@understudy/shared/runtime/version';
import type { AddressKeeper } from './address/keeper.ts';
import { makeAddressKeeper } from './address/make-keeper.ts';
import { askForRole } from './ask-for-role.ts';
import { RoleDriver, TenureOver } from './driver.ts';
import { makePairEvents } from './events/make-pair-events.ts';
import type { PairEvents } from './events/pair-events.ts';
import { makeHeartbeatApp } from './http/app.ts';
import { HeartbeatMetrics } from './http/metrics.ts';
import { closeServer, listenOn } from './http/server.ts';
import { type StatusView, viewStatus } from './http/status.ts';
import { ownIdentity } from './lease/identity.ts';
import { makePostgresLease } from './lease/postgres.ts';
import { Operations } from './operations.ts';
import { PairTalk } from './pair-talk.ts';
import { makePeers, type Peers } from './peer/client.ts';
import { makePeerRoutes } from './peer/routes.ts';
import type { RoleEvent, RoleOptions, RoleState, Story } from './role/state.ts';
import { isWrapped, roleOptions } from './role-options.ts';
import { ControllerProcess } from './supervise/controller-process.ts';
import { probeTimeoutMs, watchHealth } from './supervise/health.ts';
import { Hooks } from './supervise/hooks.ts';
import { OWNER_VARIABLE, ownerMark } from './supervise/predecessor.ts';
import type { ServiceManager } from './supervise/service-manager.ts';
import { SuspensionWatch } from './supervise/suspension.ts';
import { takeHost } from './take-host.ts';
import type { CertificateWatch } from './tls/certificate-watch.ts';

export interface HeartbeatOptions {
  readonly config: ControllerHostConfig;
  readonly incarnation: string;
  readonly builtinController: string;
  readonly manager: ServiceManager;
  /** Null: plain HTTP. */
  readonly certificates: CertificateWatch | null;
  readonly clock: Clock;
  readonly log: Log;
}

const EXCHANGE_EVERY_MS = 2_000;
const SIGN_OF_LIFE_EVERY_MS = 2_000;
const HOOK_TIMEOUT_MS = 10_000;
/** From the announcement of a hand-over until it must have happened. */
const EXPECT_HAND_OVER_MS = 15_000;
/** A hand-over may have to evict writers, and a lost answer must be settled. */
const HAND_OVER_WITHIN_MS = 5_000;

/** One life of one controller host: puts the parts together and owns their order of start and stop. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #role: RoleOptions;
  readonly #controller: ControllerProcess;
  readonly #lease: ReturnType<typeof makePostgresLease>;
  readonly #peers: Peers;
  readonly #talk: PairTalk;
  readonly #operations: Operations;
  readonly #driver: RoleDriver;
  readonly #suspension: SuspensionWatch;
  readonly #events: PairEvents;
  readonly #metrics: HeartbeatMetrics;
  readonly #hooks: Hooks;
  readonly #address: AddressKeeper;
  readonly #tenureOver = new TenureOver();
  readonly #stopping = new AbortController();
  readonly #identity = ownIdentity();
  #running = false;
  #startingBecause = 'the heartbeat is starting';
  #exitCode: number = exitCodes.ok;

  constructor(options: HeartbeatOptions) {
    const { config, incarnation, certificates, clock, log } = options;
    const { pair, node, token } = config;
    this.#options = options;
    this.#role = roleOptions(config, incarnation);
    this.#lease = makePostgresLease({
      ...{ database: config.database, schema: config.schema, pair },
      holder: this.#role.self,
      identity: {
        ...this.#identity,
        heartbeatUrl: config.heartbeat.url,
        controllerUrl: config.controller.url,
        version,
      },
      callTimeoutMs: config.timers.callTimeoutMs,
      ...{ clock, log },
    });
    const mark = ownerMark(pair, node, incarnation);
    this.#controller = new ControllerProcess({
      command: [process.execPath, isWrapped(config) ? guardPath : options.builtinController],
      deathSignal: isWrapped(config) ? 'TERM' : 'KILL',
      config,
      mark: isWrapped(config) ? `${OWNER_VARIABLE}=${mark}` : null,
      environment: { [OWNER_VARIABLE]: mark },
      onEvent: (event) => this.#driver.dispatch(event),
      log,
    });
    this.#peers = makePeers({
      urls: config.heartbeat.peers,
      ...{ pair, node, token, credentials: certificates?.credentials ?? null },
      everyMs: EXCHANGE_EVERY_MS,
      timeoutMs: Math.max(config.timers.callTimeoutMs, 100),
      self: () => this.#talk.self(),
      mayLeaveItToPeer: () => this.#servingTerm() !== null,
      onHeard: (state) => this.#heard(state),
      onConsent: (event) => this.#driver.dispatch(event),
      onTestimony: (node, term) => this.#driver.dispatch({ kind: 'testimony', node, term }),
      onRefused: (reason) => this.#metrics.countPeerRefusal(reason),
      clock,
      log,
    });
    this.#suspension = new SuspensionWatch(clock, config.timers.marginMs, () =>
      this.#driver.dispatch({ kind: 'suspended' }),
    );
    this.#events = makePairEvents({
      config,
      role: this.#role,
      peers: () => this.#peers.views(),
      onInterruption: (interruption) => this.#metrics.observe(interruption),
      clock,
      log,
    });
    this.#address = makeAddressKeeper({
      config,
      peers: this.#peers,
      onEvent: (event) => this.#events.note(event),
      onStory: (story) => this.#metrics.countAddressChange(story),
      clock,
      log,
    });
    this.#driver = new RoleDriver({
      role: this.#role,
      lease: this.#lease,
      controller: this.#controller,
      peers: this.#peers,
      beforeRelease: () => this.#address.gone(),
      askSwitchOver: () =>
        void askForRole({ node, peers: this.#peers, operations: this.#operations, log }),
      tellPeersTenureOver: (term) => {
        this.#tenureOver.note(term);
        void this.#peers.exchangeNow();
      },
      onStory: (story) => this.#onStory(story),
      suspension: this.#suspension,
      onStep: (event, state) => this.#onStep(event, state),
      onAnswered: () => options.manager.progress(),
      clock,
      log,
    });
    this.#talk = new PairTalk({
      config,
      incarnation,
      driver: this.#driver,
      peers: this.#peers,
      lease: this.#lease,
      tenureOver: this.#tenureOver,
      status: () => this.#status(),
      lastService: () => this.#events.ownLastService,
      clock,
    });
    this.#operations = new Operations({
      node: config.node,
      mode: config.failover.mode,
      stop: () => this.stop(),
      incarnation,
      driver: this.#driver,
      peers: this.#peers,
      lease: this.#lease,
      handOverWithinMs: config.controller.stopTimeoutMs + HAND_OVER_WITHIN_MS,
      serveWithinMs: 2 * this.#role.serveHandedOverWithinMs,
      clock,
    });
    this.#metrics = new HeartbeatMetrics(() => this.#status());
    this.#hooks = new Hooks({
      commands: config.hooks,
      environment: { UNDERSTUDY_PAIR: pair, UNDERSTUDY_NODE: node },
      timeoutMs: HOOK_TIMEOUT_MS,
      beforePromoted: () => this.#address.settled(),
      log,
    });
  }

  /** Asks for a clean stop; `run` resolves when it is done. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#options.manager.stopping();
    if (this.#running) void this.#leave();
  }

  /** A ready peer gets the role without a failed request; otherwise it is let go. */
  async #leave(): Promise<void> {
    const { phase, pausedUntil } = this.#driver.state;
    const { clock, config, log } = this.#options;
    const isFree = config.failover.mode === 'automatic' && pausedUntil <= clock.monotonicMs();
    // A wrapped program can't hand over what is under way: it ends, and the lease is let go.
    const mayMove = isFree && !isWrapped(config);
    if (phase.name === 'serving' && mayMove && this.#exitCode === exitCodes.ok) {
      await this.#operations.settled();
      const result = await this.#operations.switchOver(null);
      if (result.kind === 'refused') log.info('lets the role go', { reason: result.reason });
    }
    this.#driver.dispatch({ kind: 'stop' });
  }

  /** Runs until `stop`, or until another heartbeat takes this node's id. Resolves to the exit code. */
  async run(): Promise<number> {
    const { config, log } = this.#options;
    const server = await this.#listen();
    log.info('the heartbeat listens', { ...config.heartbeat.listen, version });
    // Not only once it takes part: the start must not fail because the database is away.
    this.#options.manager.ready();
    try {
      const predecessor = await this.#start();
      if (!this.#stopping.signal.aborted) await this.#live(predecessor);
    } finally {
      await this.#address.stop();
      await this.#events.close();
      await this.#lease.close();
      await closeServer(server);
      this.#options.certificates?.close();
      await this.#hooks.finished();
    }
    log.info('the heartbeat ends', { exitCode: this.#exitCode });
    return this.#exitCode;
  }

  /** Before anything may be claimed: this host is ours alone, and nothing of an earlier life is left on it. */
  async #start(): Promise<string | null> {
    const { config, incarnation, log } = this.#options;
    const { signal } = this.#stopping;
    const predecessor = await takeHost({
      config,
      incarnation,
      registry: this.#lease.registry,
      identity: this.#identity,
      signOfLifeEveryMs: SIGN_OF_LIFE_EVERY_MS,
      onWaiting: (reason) => this.#waitsFor(reason),
      signal,
      log,
    });
    if (!signal.aborted) await this.#address.start();
    return predecessor;
  }

  async #live(predecessor: string | null): Promise<void> {
    const { config } = this.#options;
    await this.#talk.meet();
    if (this.#stopping.signal.aborted) return;
    this.#running = true;
    this.#events.onStarted(version, predecessor);
    this.#options.certificates?.start((event) => this.#events.note(event));
    this.#peers.start();
    const health = watchHealth({
      controller: this.#controller,
      config: config.controller.health,
      probeTimeoutMs: probeTimeoutMs(config.controller),
      listen: isWrapped(config) ? null : config.controller.listen,
      isSecure: config.tls !== null,
      servingTerm: () => this.#servingTerm(),
      onUnhealthy: (detail) => this.#driver.dispatch({ kind: 'controller-unhealthy', detail }),
      onChecked: (problem, failures) =>
        this.#events.onCheck(problem, failures, config.controller.health.failures),
    });
    this.#suspension.start();
    const signsOfLife = setInterval(() => void this.#signOfLife(), SIGN_OF_LIFE_EVERY_MS);
    try {
      await this.#driver.run(predecessor);
      // The peers were just told that a tenure ended; they may want our word for it before we go.
      if (this.#tenureOver.term !== null) await delay(2 * config.timers.callTimeoutMs);
    } finally {
      clearInterval(signsOfLife);
      this.#suspension.stop();
      health.stop();
      this.#peers.stop();
    }
  }

  #listen(): Promise<Server> {
    const { config, incarnation, certificates, log } = this.#options;
    const { pair, token, node } = config;
    const app = makeHeartbeatApp({
      status: () => this.#status(),
      metrics: this.#metrics,
      events: (after, limit) => this.#events.list(after, limit),
      token,
      node,
      isActive: () => this.#status().active?.node === node,
      operator: () => (this.#running ? this.#operations : null),
      peerRoutes: makePeerRoutes({
        pair,
        node,
        incarnation,
        token,
        needsCertificate: certificates !== null,
        self: () => this.#talk.self(),
        onHeard: (state) => {
          this.#peers.heard(state);
          this.#heard(state);
        },
        // Before this heartbeat has cleaned up after its predecessor it knows nothing to testify.
        testify: (held) =>
          this.#running ? this.#driver.testify(held) : 'this heartbeat is still starting',
        onRefused: (code) => this.#metrics.countPeerRefusal(code),
        consent: (held, forMs) =>
          this.#running
            ? this.#talk.consent(held.term, forMs)
            : Promise.resolve({ why: 'not-passive', highestTerm: 0n }),
        prepare: (term) =>
          this.#running
            ? this.#driver.expect(term, EXPECT_HAND_OVER_MS)
            : ['this heartbeat is still starting'],
        switchOver: async (to) => this.#operations.switchOverForPeer(to),
        controllerUrl: config.controller.url,
        log,
      }),
      log,
    });
    const { listen } = config.heartbeat;
    const credentials = certificates?.credentials ?? null;
    return listenOn(app, { listen, setting: 'heartbeat.listen', credentials });
  }

  #servingTerm() {
    const { phase } = this.#driver.state;
    return phase.name === 'serving' ? phase.tenure.term : null;
  }

  #status(): StatusView {
    return viewStatus({
      config: this.#options.config,
      incarnation: this.#options.incarnation,
      role: this.#running ? this.#driver.state : null,
      roleOptions: this.#role,
      startingBecause: this.#startingBecause,
      controllerPid: this.#controller.pid,
      peers: this.#peers.views(),
      lastDemotion: this.#driver.lastDemotion,
      storeDisagreement: this.#talk.storeDisagreement,
      vip: this.#address.view(),
      promise: this.#events.promise,
      measured: this.#events.measured,
      certificate: this.#options.certificates?.view() ?? null,
      nowMs: this.#options.clock.monotonicMs(),
    });
  }

  #heard(peer: PeerState): void {
    if (!this.#running) return;
    this.#operations.onPeer(peer);
    this.#talk.heard(peer);
    this.#address.onPeers();
  }

  async #signOfLife(): Promise<void> {
    const { log, config } = this.#options;
    await this.#talk.lookAround();
    const result = await this.#lease.probe();
    if (result.kind === 'failed') log.debug('the sign of life failed', { error: result.error });
    if (result.kind !== 'replaced' || this.#stopping.signal.aborted) return;
    log.error('another heartbeat has taken the node id of this one: stops', { node: config.node });
    this.#exitCode = exitCodes.badConfig;
    this.stop();
  }

  #waitsFor(reason: string): void {
    if (this.#startingBecause === reason) return;
    this.#startingBecause = reason;
    this.#options.manager.status(`waits before it can start: ${reason}`);
    this.#options.log.warn('waits before it can start', { reason });
  }

  #onStep(event: RoleEvent, state: RoleState): void {
    // First of all: the addresses go before anything else of a tenure does.
    this.#address.onRole(state);
    this.#events.onStep(event, state);
  }

  #onStory(story: Story): void {
    this.#metrics.count(story);
    this.#options.manager.status(this.#driver.state.phase.name);
    this.#events.onStory(story);
    if (story.kind === 'taken-over') this.#address.onTakenOver(story.term);
    // Peers hear of a change of role at once, not at the next turn.
    if (story.kind === 'serving' || story.kind === 'demoting') {
      void this.#peers.exchangeNow().then(() => this.#address.onPeers());
    }
    this.#operations.onStory(story);
    this.#hooks.onStory(story);
  }
}

const guardPath = fileURLToPath(new URL('./guard/main.js', import.meta.url));
