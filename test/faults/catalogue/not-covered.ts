/** Faults without a test, by number, and why. */
export const notCovered: Readonly<Record<number, string>> = {
  114: 'there is one version so far',
  115: 'there is one version so far',
  116: 'there is one version so far',
  117: 'there is one version so far',
  119: 'needs a second platform',
};
