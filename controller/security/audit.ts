/** What somebody changed, to be recorded in the same transaction as the change. */
export interface NewAudit {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The name of the token that was presented; `pair` for the pair's own. */
  readonly actor: string;
  /** Like `job.apply`; declared with the route. */
  readonly action: string;
  /** The name of the job, agent, token or secret, or the id of the run, that it is about. */
  readonly subject: string;
  /** Where the request came from. */
  readonly address: string;
  /** What was made or changed of it: ids of runs, names of fields. Only the first ones. */
  readonly items: readonly string[];
  /** So many times, by one group commit. */
  readonly count: number;
}

export interface AuditRecord extends NewAudit {
  readonly seq: bigint;
  readonly term: bigint;
}

/** On whose behalf something is changed: what of a change tells it. */
export interface By {
  readonly audits?: readonly NewAudit[];
}

/** Done by the controller itself. */
export const NOBODY: By = {};

/** So many items are kept of one entry. */
export const MOST_ITEMS = 100;

/** The same, once it is known what is made. */
export function naming({ audits }: By, items: readonly string[]): By {
  if (audits === undefined) return NOBODY;
  const made = { items: items.slice(0, MOST_ITEMS), count: Math.max(1, items.length) };
  return { audits: audits.map((audit) => ({ ...audit, ...made })) };
}

/** Entries that differ in nothing but their items become one: who starts a thousand runs is told once. */
export function mergeAudits(all: readonly NewAudit[]): NewAudit[] {
  if (all.length < 2) return [...all];
  const merged = new Map<string, NewAudit>();
  for (const audit of all) {
    const { actor, action, subject, address, items, count } = audit;
    const key = JSON.stringify([actor, action, subject, address]);
    const known = merged.get(key);
    const more = { items: [...(known?.items ?? []), ...items].slice(0, MOST_ITEMS) };
    merged.set(key, { ...(known ?? audit), ...more, count: (known?.count ?? 0) + count });
  }
  return [...merged.values()];
}
