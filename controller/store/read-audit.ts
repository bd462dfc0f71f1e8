import type { AuditRecord } from '../security/audit.ts';
import { ms, type Row } from './rows.ts';

/** Which entries of the audit trail are asked for; null: whatever it is. */
export interface AuditFilter {
  readonly actor: string | null;
  readonly action: string | null;
  readonly subject: string | null;
  /** Instants, milliseconds since 1970. */
  readonly since: number | null;
  readonly until: number | null;
  /** Entries older than this one. */
  readonly after: bigint | null;
  readonly limit: number;
}

type Select = (text: string, values: readonly unknown[]) => Promise<Row[]>;

/** Entries of the audit trail, newest first. */
export async function readAudit(
  select: Select,
  pair: string,
  filter: AuditFilter,
): Promise<AuditRecord[]> {
  const { actor, action, subject, since, until, after, limit } = filter;
  const values: unknown[] = [pair, limit];
  const conditions = ['pair = $1'];
  for (const [condition, value] of [
    ['actor =', actor],
    ['action =', action],
    ['subject =', subject],
    ['audit.at >=', since === null ? null : new Date(since).toISOString()],
    ['audit.at <', until === null ? null : new Date(until).toISOString()],
    ['audit.seq <', after === null ? null : after.toString()],
  ] as const) {
    if (value === null) continue;
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  }
  const rows = await select(
    `select seq::text as seq, ${ms('audit.at', 'at')}, term::text as term, actor, action, subject,
       address, items, count
     from audit where ${conditions.join(' and ')} order by audit.seq desc limit $2`,
    values,
  );
  return rows.map(auditFrom);
}

function auditFrom(row: Row): AuditRecord {
  const { seq, term, ...rest } = row;
  return {
    ...(rest as Row & Omit<AuditRecord, 'seq' | 'term'>),
    seq: BigInt(String(seq)),
    term: BigInt(String(term)),
  };
}
