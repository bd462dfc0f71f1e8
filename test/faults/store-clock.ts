import type { Cluster } from '../support/cluster.ts';

/** The clock of the database, as the functions of the lease see it. */
export class StoreClock {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Puts a clock that can be set in front of the real one. */
  static async install(cluster: Cluster): Promise<StoreClock> {
    await cluster.query(`
      create table if not exists understudy.test_clock (shift interval not null);
      truncate understudy.test_clock;
      insert into understudy.test_clock values ('0');
      create or replace function understudy.clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() + (select shift from understudy.test_clock)';
      do $$
      declare
        one regprocedure;
      begin
        for one in
          select oid from pg_proc
          where pronamespace = 'understudy'::regnamespace and proname <> 'clock_timestamp'
        loop
          -- Functions of the system come first in a path that does not name them.
          execute format('alter function %s set search_path = understudy, pg_catalog', one);
        end loop;
      end
      $$`);
    return new StoreClock(cluster);
  }

  async shift(ms: number): Promise<void> {
    await this.#cluster.query(
      "update understudy.test_clock set shift = $1 * interval '1 millisecond'",
      [ms],
    );
  }
}
