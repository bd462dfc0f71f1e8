import type { RoleEvent } from '@understudy/heartbeat/role/state';
import type { Host } from '../kernel/host.ts';
import type { World } from '../world.ts';
import { SimController } from './controller.ts';
import { SimHeartbeat } from './heartbeat.ts';
import { SimPeers } from './peers.ts';

/** Between two processes of one host. */
const IPC_MS = 0.2;
const REAP_MS = 0.5;

/** A controller host: its heartbeat, and the controllers that heartbeats of it started. */
export class Node {
  readonly name: string;
  readonly place: number;
  readonly host: Host;
  /** Two nodes may have the same name, never the same address. */
  readonly url: string;
  readonly peers: SimPeers;
  readonly #world: World;
  heartbeat: SimHeartbeat | null = null;
  /** The one that the present heartbeat started. */
  controller: SimController | null = null;
  /** All that live here, those included that an earlier heartbeat left behind. */
  readonly controllers = new Set<SimController>();
  #incarnations = new Map<string, number>();
  /** The power is off. */
  isOff = false;

  constructor(world: World, name: string, place: number, host: Host) {
    this.#world = world;
    this.name = name;
    this.place = place;
    this.url = `http://${place}`;
    this.host = host;
    this.peers = new SimPeers(world, this);
  }

  startHeartbeat(): void {
    if (this.heartbeat !== null || this.isOff) return;
    const { rules, newId } = this.#world;
    const incarnation = rules.hasIncarnations ? newId(`${this.name}#`) : this.name;
    this.#incarnations.set(incarnation, this.host.boots);
    this.heartbeat = new SimHeartbeat(this.#world, this, incarnation);
  }

  /** Whether that incarnation is known to have lived on this host since it was booted. */
  livedInThisBoot(incarnation: string): boolean {
    return this.#incarnations.get(incarnation) === this.host.boots;
  }

  /** As by SIGKILL: the kernel ends the controller with it, sooner or later. */
  crashHeartbeat(): void {
    const { heartbeat } = this;
    if (heartbeat === null) return;
    this.#world.trace?.(this.name, 'the heartbeat is killed');
    this.heartbeatEnded(heartbeat);
  }

  heartbeatEnded(heartbeat: SimHeartbeat): void {
    if (this.heartbeat !== heartbeat) return;
    const { engine, dice, knobs, rules } = this.#world;
    heartbeat.process.kill();
    this.heartbeat = null;
    this.controller = null;
    if (!rules.isTied) return;
    for (const controller of this.controllers) {
      engine.after(dice.between(0, knobs.tieMs), () => controller.die('its heartbeat ended'));
    }
  }

  powerOff(): void {
    this.#world.trace?.(this.name, 'loses power');
    this.isOff = true;
    this.heartbeat?.process.kill();
    this.heartbeat = null;
    this.controller = null;
    for (const controller of [...this.controllers]) controller.die('the power is off');
  }

  powerOn(): void {
    if (!this.isOff) return;
    this.isOff = false;
    this.host.boot();
    this.startHeartbeat();
  }

  /** A request has arrived at the controller's port; null: it is closed. One that is stopped answers late. */
  atPort(answer: (controller: SimController | null) => void): void {
    const controller = this.portHolder;
    if (controller !== null) controller.process.take(() => controller.admit(answer));
    else if (!this.isOff) answer(null);
  }

  /** The controller whose port is open. */
  get portHolder(): SimController | null {
    for (const controller of this.controllers) if (controller.isServing) return controller;
    return null;
  }

  startController(): void {
    const { heartbeat } = this;
    if (heartbeat === null || this.controller !== null) return;
    const controller = new SimController(this.#world, this, heartbeat);
    this.controller = controller;
    this.controllers.add(controller);
    this.#hear(heartbeat, { kind: 'controller-starting' });
  }

  tellController(say: (controller: SimController) => void): void {
    const { controller } = this;
    if (controller === null) return;
    this.#world.engine.after(IPC_MS, () => controller.process.take(() => say(controller)));
  }

  /** What a controller says reaches only the heartbeat that started it. */
  hear(controller: SimController, event: RoleEvent): void {
    this.#world.engine.after(IPC_MS, () => {
      const { heartbeat } = this;
      if (heartbeat === null || this.controller !== controller) return;
      heartbeat.process.take(() => {
        if (this.controller === controller) heartbeat.dispatch(event);
      });
    });
  }

  killController(): void {
    const { engine, dice, knobs } = this.#world;
    const { controller } = this;
    if (controller === null) return;
    engine.after(dice.between(0.2, knobs.killMs), () => controller.die('killed by its heartbeat'));
  }

  controllerDied(controller: SimController, detail: string): void {
    const { engine } = this.#world;
    this.controllers.delete(controller);
    if (this.controller !== controller) return;
    const { heartbeat } = this;
    engine.after(REAP_MS, () => {
      heartbeat?.process.take(() => {
        if (this.controller !== controller) return;
        this.controller = null;
        heartbeat.dispatch({ kind: 'controller-gone', detail });
      });
    });
  }

  /** What an earlier heartbeat left behind is killed; goes on when it is dead. */
  endControllers(then: () => void): void {
    const { engine, dice, knobs } = this.#world;
    if (this.controllers.size === 0) return then();
    engine.after(dice.between(0.2, knobs.killMs), () => {
      for (const controller of [...this.controllers]) controller.die('left behind');
      this.endControllers(then);
    });
  }

  #hear(heartbeat: SimHeartbeat, event: RoleEvent): void {
    heartbeat.process.take(() => heartbeat.dispatch(event));
  }
}
