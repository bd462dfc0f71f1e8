import { hostKindOf } from '@understudy/shared/runtime/config/describe';
import { loadAgentConfig, loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import type { ConfigSources } from '@understudy/shared/runtime/config/sources';
import { messageOf } from '@understudy/shared/runtime/errors';
import { connectAs } from '../cli/client/secure.ts';
import { addressChecks } from './checks/address.ts';
import { agentChecks } from './checks/agent.ts';
import { certificateChecks } from './checks/certificate.ts';
import { databaseCheck } from './checks/database.ts';
import { hostChecks } from './checks/host.ts';
import { peersCheck } from './checks/peers.ts';
import { portsCheck } from './checks/ports.ts';
import { type Check, type Finding, ok, problem } from './finding.ts';
import { runChecks } from './run-checks.ts';

const CHECK_WITHIN_MS = 10_000;

/** Looks at everything that this host needs to do its part; what needs no configuration also when that is bad. */
export async function examine(sources: ConfigSources): Promise<readonly Finding[]> {
  const { finding, checks } = checksFor(sources);
  return [finding, ...(await runChecks([...hostChecks, ...checks], CHECK_WITHIN_MS))];
}

function checksFor(sources: ConfigSources): { finding: Finding; checks: readonly Check[] } {
  const from = sources.file ?? 'the environment';
  try {
    if (hostKindOf(sources) === 'worker') {
      const config = loadAgentConfig(sources);
      connectAs(config);
      const { pair, agent, tls } = config;
      const text = `${from}: agent ${agent} of pair ${pair}`;
      const certificates = certificateChecks(tls, { pair, kind: 'agent', id: agent });
      return {
        finding: ok('configuration', text),
        checks: [...certificates, ...agentChecks(config)],
      };
    }
    const config = loadControllerHostConfig(sources);
    connectAs(config);
    const { pair, node, tls, vip } = config;
    const text = `${from}: node ${node} of pair ${pair}`;
    const certificates = certificateChecks(tls, { pair, kind: 'node', id: node });
    const checks = [
      ...[...certificates, ...addressChecks(vip)],
      ...[databaseCheck(config), portsCheck(config), peersCheck(config)],
    ];
    return { finding: ok('configuration', text), checks };
  } catch (error) {
    const advice = 'correct it; `understudy config check` tells when all is well';
    return { finding: problem('configuration', messageOf(error), advice), checks: [] };
  }
}
