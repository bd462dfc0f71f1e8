/** Kinds of failure as people say them. */
const names: Readonly<Record<string, string>> = {
  'controller-crash': 'controller crash',
  'controller-freeze': 'frozen controller',
  'heartbeat-crash': 'heartbeat crash',
  'host-loss': 'lost host',
  'database-of-active': 'database lost to the active',
  switchover: 'switch-over',
};

export function failureName(failure: string): string {
  return names[failure] ?? failure;
}

const measures: Readonly<Record<string, string>> = {
  'hold-to-serving': 'from the moment the old active held requests until the new one served',
  'demotion-to-serving': 'from the demotion of the old active until the new one served',
  'last-good-check-to-serving':
    'from the last good check of the old controller until the new one served',
  'last-renewal-to-serving':
    'from the last renewal of the lease that was seen until the new one served; the old active may have served a little longer',
};

/** How an interruption was measured, for people. */
export function measureName(measured: string): string {
  return measures[measured] ?? measured;
}
