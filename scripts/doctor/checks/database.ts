import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { type Connection, connectWritable } from '@understudy/shared/runtime/database';
import { parseDatabaseUrl } from '@understudy/shared/runtime/database-url';
import { judgeKey, knownKey } from '@understudy/shared/runtime/pair-key';
import { whyPreparedIsForbidden } from '@understudy/shared/runtime/prepared-transactions';
import { compareSchema } from '@understudy/shared/runtime/schema-version';
import { type Check, type Finding, ok, problem } from '../finding.ts';
import { type DatabaseFacts, judgeDatabase } from '../judge-database.ts';

const TRIPS = 5;

/** The database: reachable, good enough, prepared, and near enough for the timers. */
export function databaseCheck(config: ControllerHostConfig): Check {
  return {
    name: 'database',
    look: async (signal) => {
      const { database, schema, timers } = config;
      const connection = await connectWritable({
        ...{ database, schema, applicationName: 'understudy doctor' },
      });
      // A query on a link that went dark never ends by itself.
      signal.addEventListener('abort', () => connection.destroy());
      try {
        return [
          ...judgeDatabase(await readFacts(connection, config), timers),
          await checkPrepared(connection, config),
          ...(await checkSchema(connection, config)),
        ];
      } finally {
        connection.destroy();
      }
    },
  };
}

async function checkPrepared(
  connection: Connection,
  { lease }: ControllerHostConfig,
): Promise<Finding> {
  const check = 'prepared transactions';
  const forbidden = await whyPreparedIsForbidden(connection);
  if (forbidden === null) return ok(check, 'nobody can prepare one');
  if (lease.preparedTransactions === 'accept') return ok(check, 'are accepted by configuration');
  const [text = '', ...advice] = forbidden.split('. ');
  return problem(check, text, advice.join('. '));
}

async function checkSchema(
  connection: Connection,
  { schema, pair, keystore }: ControllerHostConfig,
): Promise<Finding[]> {
  const { state, applied, known } = await compareSchema(connection, schema);
  if (state === 'missing') {
    return [problem('schema', `${schema} is not prepared`, 'run understudy create')];
  }
  if (state === 'ahead') {
    const text = `${schema} is at ${applied}, this version knows it up to ${known}`;
    return [problem('schema', text, 'install the newer version on this host')];
  }
  if (state === 'behind') {
    const text = `${schema} is at ${applied}, this version needs ${known}`;
    return [problem('schema', text, 'run understudy create')];
  }
  const { rowCount } = await connection.client.query('select from lease where pair = $1', [pair]);
  if (rowCount === 0) {
    return [problem('schema', `does not know pair ${pair}`, 'run understudy create')];
  }
  const verdict = judgeKey({ pair, path: keystore, known: await knownKey(connection, pair) });
  const key =
    verdict.type === 'refused'
      ? problem('key store', verdict.reason, 'this host is refused until then')
      : ok('key store', verdict.type === 'none' ? 'the pair has none' : 'is that of the pair');
  return [ok('schema', `${schema} is at ${applied}`), key];
}

async function readFacts(
  connection: Connection,
  { database, schema }: ControllerHostConfig,
): Promise<DatabaseFacts> {
  const { client, server } = connection;
  const { rows } = await client.query<Settings>(SETTINGS);
  const [settings] = rows;
  if (settings === undefined) throw new Error('the database tells nothing of its settings');
  const forbidden = await client.query<{ name: string }>(FORBIDDEN, [schema]);
  return {
    server,
    ...settings,
    ...(await measure(connection)),
    isReplicated: parseDatabaseUrl(database).servers.length > 1,
    forbidden: forbidden.rows.map(({ name }) => name),
  };
}

type Settings = Pick<
  DatabaseFacts,
  | 'version'
  | 'connectionsLeft'
  | 'fsync'
  | 'fullPageWrites'
  | 'synchronousCommit'
  | 'synchronousStandbys'
>;

/** The settings of the session that Understudy will have, and of its server. */
const SETTINGS = `
  select
    current_setting('server_version_num')::integer as version,
    current_setting('max_connections')::integer
      - current_setting('superuser_reserved_connections')::integer
      - (select count(*)::integer from pg_stat_activity where backend_type = 'client backend')
      as "connectionsLeft",
    current_setting('fsync')::boolean as fsync,
    current_setting('full_page_writes')::boolean as "fullPageWrites",
    current_setting('synchronous_commit') as "synchronousCommit",
    current_setting('synchronous_standby_names') as "synchronousStandbys"`;

/** Tables and functions of our schema that the role of this session may not use as we do. */
const FORBIDDEN = `
  select name from (
    select relname::text as name
    from pg_class
    where relnamespace = to_regnamespace(quote_ident($1)) and relkind in ('r', 'p')
      and not (has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
        and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))
    union all
    select proname::text || '()'
    from pg_proc
    where pronamespace = to_regnamespace(quote_ident($1))
      and not has_function_privilege(oid, 'execute')
    union all
    select 'schema ' || nspname
    from pg_namespace
    where nspname = $1 and not has_schema_privilege(oid, 'usage')
  ) as forbidden
  order by name`;

async function measure({
  client,
}: Connection): Promise<Pick<DatabaseFacts, 'roundTripMs' | 'clockOffsetMs'>> {
  const trips: { tookMs: number; offsetMs: number }[] = [];
  for (let trip = 0; trip < TRIPS; trip += 1) {
    const [startedMs, startedAt] = [performance.now(), Date.now()];
    const text = 'select extract(epoch from clock_timestamp())::float8 * 1000 as now';
    const { rows } = await client.query<{ now: number }>(text);
    const tookMs = performance.now() - startedMs;
    trips.push({ tookMs, offsetMs: (rows[0]?.now ?? 0) - (startedAt + tookMs / 2) });
  }
  trips.sort((one, other) => one.tookMs - other.tookMs);
  // The quickest knows the other clock best.
  const median = trips[Math.floor(TRIPS / 2)]?.tookMs ?? 0;
  return { roundTripMs: median, clockOffsetMs: trips[0]?.offsetMs ?? 0 };
}
