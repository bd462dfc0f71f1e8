import { type InstallFacts, places } from './facts.ts';

/** What is left to the operator, one step a line. */
export function nextSteps(facts: InstallFacts): string {
  const { configuration, environment, service } = places[facts.role];
  const load = `set -a; . ${environment}; set +a`;
  const start = `systemctl enable --now ${service}`;
  const steps =
    facts.role === 'controller'
      ? [
          `edit ${configuration}: pair, node, heartbeat.peers, URLs`,
          `edit ${environment}: the database; on the second host also the token of the first`,
          load,
          `runuser -u ${facts.account} -- understudy config check`,
          `once, on the first host: runuser -u ${facts.account} -- understudy create`,
          `on the others: copy /var/lib/understudy/keystore from the first; chown ${facts.account} and chmod 600 it`,
          'understudy doctor',
          start,
          'understudy status',
        ]
      : [
          `edit ${configuration}: pair, agent, controllers`,
          `edit ${environment}: the token`,
          load,
          'understudy doctor',
          start,
          'on a controller host: understudy agent list',
        ];
  return ['What to do next:', ...steps.map((step, index) => `  ${index + 1}. ${step}`)].join('\n');
}

/** What of the surroundings will keep the service from starting; empty when nothing is known to. */
export function warningsOf({ node, program, account }: InstallFacts): readonly string[] {
  const hidden = [node, program].filter((path) => /^\/(?:home|root)\//.test(path));
  if (account === 'root') return [];
  return hidden.map(
    (path) =>
      `${path} lies in somebody's home, where the account ${account} may not be let in: ` +
      'install Node and Understudy for the whole host (npm install -g with the prefix /usr/local)',
  );
}
