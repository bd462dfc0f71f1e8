import type { HeartbeatStatus, StatusAnswer } from './client/heartbeat-status.ts';

export interface PairVerdict {
  readonly exitCode: 0 | 1 | 2 | 3;
  readonly summary: string;
  /** Where the heartbeats contradict each other. */
  readonly disagreements: readonly string[];
}

/** What the answers of all heartbeats say of the pair as a whole. */
export function judgePair(answers: readonly StatusAnswer[]): PairVerdict {
  const heard = answers.flatMap((each) => (each.kind === 'answered' ? [each.status] : []));
  const actives = heard.filter((status) => status.role === 'active');
  const ready = heard.filter((status) => status.role === 'passive' && status.ready);
  const disagreements = contradictions(heard);
  const [active] = actives;
  if (active === undefined) return { exitCode: 2, summary: 'no node is active', disagreements };
  if (actives.length > 1) {
    const names = actives.map((status) => status.node).join(' and ');
    return {
      exitCode: 3,
      summary: `more than one node says it is active: ${names}`,
      disagreements,
    };
  }
  if (ready.length === 0) {
    const summary = `${active.node} is active, no passive is ready to take over`;
    return { exitCode: 1, summary, disagreements };
  }
  const names = ready.map((status) => status.node).join(', ');
  return {
    exitCode: 0,
    summary: `${active.node} is active, ready to take over: ${names}`,
    disagreements,
  };
}

function contradictions(heard: readonly HeartbeatStatus[]): string[] {
  const found = heard.flatMap((status) => status.disagreements);
  const compare = (what: string, value: (status: HeartbeatStatus) => string | null) => {
    const said = heard.map((status) => [status.node, value(status)] as const);
    const known = said.filter(([, text]) => text !== null);
    if (new Set(known.map(([, text]) => text)).size <= 1) return;
    found.push(known.map(([node, text]) => `${node} says that ${what} is ${text}`).join(', '));
  };
  compare('the pair', (status) => status.pair);
  compare('the active node', (status) => status.active?.node ?? null);
  compare('the version', (status) => status.version ?? null);
  return [...found, ...strayAddresses(heard)];
}

/** The virtual addresses belong to the active host alone. */
function strayAddresses(heard: readonly HeartbeatStatus[]): string[] {
  return heard.flatMap(({ node, role, phase, vip }) => {
    const stray = (vip?.addresses ?? []).filter(({ held }) =>
      role === 'active' ? phase === 'serving' && !held : held,
    );
    return stray.map(({ address }) =>
      role === 'active'
        ? `${node} is active and does not have the virtual address ${address}`
        : `${node} is passive and has the virtual address ${address}`,
    );
  });
}
