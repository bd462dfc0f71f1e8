import { endIfOrphaned } from '@understudy/shared/runtime/child';
import type { FleetAnswer, FleetRequest } from './fleet.ts';
import { SimulatedAgent } from './simulated-agent.ts';

/** A process that is many agents. */
endIfOrphaned();
process.on('disconnect', () => process.exit(0));

const agents: SimulatedAgent[] = [];
/** By agent: the term that it follows, and since when. */
const joined = new Map<string, { readonly term: string; readonly atMs: number }>();
const started = new Map<string, number>();
let isNoting = false;

/** On the clock that every process of the host shares. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

process.on('message', (request: FleetRequest) => {
  switch (request.type) {
    case 'start':
      begin(request);
      return;
    case 'note-starts':
      isNoting = request.isOn;
      started.clear();
      return;
    case 'tell-starts':
      send({ type: 'starts', starts: [...started] });
      return;
    case 'tell-joined':
      send({ type: 'joined', joined: [...joined.values()] });
      return;
    case 'stop':
      for (const agent of agents) agent.stop();
      process.exit(0);
  }
});

function begin({ count, prefix, ports, token, slots }: Extract<FleetRequest, { type: 'start' }>) {
  for (let index = 0; index < count; index += 1) {
    const name = `${prefix}${index}`;
    const agent = new SimulatedAgent({
      ...{ name, ports, token, slots },
      onStart: (run) => {
        if (isNoting) started.set(run, nowMs());
      },
      onJoined: (term) => void joined.set(name, { term, atMs: nowMs() }),
    });
    agents.push(agent);
    void agent.run();
  }
}

function send(answer: FleetAnswer): void {
  process.send?.(answer);
}
