import { existsSync, readFileSync } from 'node:fs';
import { type InstallFacts, places } from './facts.ts';
import {
  agentConfiguration,
  agentEnvironment,
  controllerConfiguration,
  controllerEnvironment,
} from './skeletons.ts';
import { agentUnit, controllerUnit } from './units.ts';

/** One file of an installation. */
export interface PlannedFile {
  /** From the root of the host on. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
  /** Whether it becomes the operator's once it is there: then it is never written again. */
  readonly isTheirs: boolean;
  /** Whether the group of the service may read it. */
  readonly forService: boolean;
}

/** All files of a role, in the order in which they are written. */
export function planFiles(facts: InstallFacts): readonly PlannedFile[] {
  const { account, configuration, environment, unit, state } = places[facts.role];
  const isController = facts.role === 'controller';
  const ours = { mode: 0o644, isTheirs: false, forService: false };
  const theirs = { isTheirs: true };
  const made: PlannedFile[] = facts.makesAccount
    ? [{ ...ours, path: account, text: accountText(facts.account, state) }]
    : [];
  return [
    ...made,
    {
      ...{ ...theirs, path: configuration, mode: 0o640, forService: true },
      text: isController ? controllerConfiguration(facts) : agentConfiguration(facts),
    },
    {
      ...{ ...theirs, path: environment, mode: 0o600, forService: false },
      text: isController ? controllerEnvironment(facts) : agentEnvironment(facts),
    },
    { ...ours, path: unit, text: isController ? controllerUnit(facts) : agentUnit(facts) },
  ];
}

/** The account that such a file describes, which the installation has made; null: there is no file. */
export function accountIn(file: string): string | null {
  if (!existsSync(file)) return null;
  return /^u (\S+) /m.exec(readFileSync(file, 'utf8'))?.[1] ?? null;
}

/** For systemd-sysusers: an account without a password, a shell or a home of its own. */
function accountText(name: string, state: string): string {
  return `# Written by \`understudy install\`.\nu ${name} - "Understudy" /var/lib/${state}\n`;
}
