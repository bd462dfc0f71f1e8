/** Whether others than this host reach what listens, or is reached, at that name or address. */
export function isOpenToOthers(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare !== 'localhost' && bare !== '::1' && !/^127(\.\d{1,3}){3}$/.test(bare);
}
