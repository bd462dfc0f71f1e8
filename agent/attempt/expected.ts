/** Whether a status code is among those that mean success: codes, and ranges like `200-299`. */
export function isExpected(status: number, expect: readonly (number | string)[]): boolean {
  return expect.some((each) => {
    if (typeof each === 'number') return each === status;
    const [from = Number.NaN, to = Number.NaN] = each.split('-').map(Number);
    return status >= from && status <= to;
  });
}
