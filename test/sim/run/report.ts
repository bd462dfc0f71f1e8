import { type Counters, phaseNames } from '../checks/counters.ts';
import { agentFaults, faultKinds } from '../plan/fault-kinds.ts';
import type { Mutant } from '../plan/mutants.ts';
import { type Found, UNSOUND } from './batch.ts';

export interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly workers: number;
}

/** What was played, how fast, and how often each fault met each phase. */
export function describeCounters(counters: Counters, cost: Cost): string {
  const { seconds, cpuSeconds, workers } = cost;
  const { histories, simulatedMs, grants, claims, testimonies, consents, answers, commits } =
    counters;
  const rate = Math.round(histories / seconds);
  const each = (simulatedMs / 1_000 / histories).toFixed(1);
  const bases = Object.entries(claims).map(([basis, count]) => `${count} ${basis}`);
  return [
    `${histories} histories of ${each} s in ${seconds.toFixed(1)} s: ${rate} a second on ${workers} workers, ` +
      `${Math.round(histories / cpuSeconds)} a second of processor time`,
    `${grants} grants; claims: ${bases.join(', ')}; ${testimonies} testimonies; ${consents} consents; ` +
      `${commits} commits, ${answers} answers`,
    '',
    'how often each fault met each phase of the node that it struck (of the leader, for the store):',
    faultTable(counters),
    '',
    `${counters.starts} attempts started; agents gave up ${counters.agentsGaveUp} times; faults by the agent's phase:`,
    agentTable(counters),
  ].join('\n');
}

export function describeViolation({ seed, rule, text }: Found): string {
  return `VIOLATION seed ${seed}: ${rule}: ${text}\n  npm run sim -- --replay ${seed}\n`;
}

export function describeMutant({ name, within }: Mutant, found: Found | null): string {
  if (found === null) return `NOT CAUGHT  ${name}: not by ${within} seeds\n`;
  if (found.rule === UNSOUND) return `UNSOUND     ${name}: seed ${found.seed}: ${found.text}\n`;
  return `caught      ${name}: by seed ${found.seed}, ${found.rule}: ${found.text}\n`;
}

const agentPhases = ['down', 'asking', 'waiting', 'joining', 'following'];

function agentTable(counters: Counters): string {
  const width = Math.max(...agentFaults.map(({ length }) => length));
  const head = `${' '.repeat(width)}${agentPhases.map((name) => name.padStart(10)).join('')}`;
  const rows = agentFaults.map((kind) => {
    const row = counters.agentFaults[kind] ?? {};
    const cells = agentPhases.map((phase) => String(row[phase] ?? 0).padStart(10));
    return `${kind.padEnd(width)}${cells.join('')}`;
  });
  return [head, ...rows].join('\n');
}

function faultTable({ faults }: Counters): string {
  const width = Math.max(...faultKinds.map(({ length }) => length));
  const head = `${' '.repeat(width)}${phaseNames.map((name) => name.padStart(10)).join('')}`;
  const rows = faultKinds.map((kind) => {
    const row = faults[kind] ?? {};
    const cells = phaseNames.map((phase) => String(row[phase] ?? 0).padStart(10));
    return `${kind.padEnd(width)}${cells.join('')}`;
  });
  return [head, ...rows].join('\n');
}
