/**
 * Who a certificate is made for. It stands in it as a URI among its alternative names, so that any authority can write
 * it and every TLS library keeps it: `understudy://orders/node/a`, `understudy://orders/agent/w1`. The host names
 * beside it say where the member may be reached; this says who it is.
 */
export interface Member {
  readonly pair: string;
  readonly kind: 'node' | 'agent';
  readonly id: string;
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,127}';
const MEMBER = new RegExp(`^understudy://(${NAME})/(node|agent)/(${NAME})$`);
/** One alternative name as Node writes it; where it holds what could be taken for another one it is quoted as JSON. */
const ALTERNATIVE_NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/** The URI by which a certificate names its member. */
export function memberUri({ pair, kind, id }: Member): string {
  return `understudy://${pair}/${kind}/${id}`;
}

/** The member that a URI names; null: it names none. */
export function memberOf(uri: string): Member | null {
  const [, pair = '', kind = '', id = ''] = MEMBER.exec(uri) ?? [];
  if (kind !== 'node' && kind !== 'agent') return null;
  return { pair, kind, id };
}

/**
 * The members that the alternative names of a certificate name. Text that is not of the one form ends the reading: what
 * can't be read in one way only names nobody.
 */
export function membersIn(alternativeNames: string): readonly Member[] {
  const members: Member[] = [];
  let at = 0;
  while (at < alternativeNames.length) {
    ALTERNATIVE_NAME.lastIndex = at;
    const found = ALTERNATIVE_NAME.exec(alternativeNames);
    if (found === null || found[0] === '') return [];
    at += found[0].length;
    const [, type = '', text = ''] = found;
    const member = type === 'URI' && !text.startsWith('"') ? memberOf(text) : null;
    if (member !== null) members.push(member);
  }
  return members;
}

/** Whether two are the same. */
export function isSameMember(a: Member, b: Member): boolean {
  return a.pair === b.pair && a.kind === b.kind && a.id === b.id;
}

/** A member in words. */
export function describeMember({ pair, kind, id }: Member): string {
  return `${kind} ${id} of the pair ${pair}`;
}

/** All that a certificate is made for, in words. */
export function describeMembers(members: readonly Member[]): string {
  return members.length === 0 ? 'nobody of a pair' : members.map(describeMember).join(', ');
}
