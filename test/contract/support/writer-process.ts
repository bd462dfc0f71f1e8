import { createInterface } from 'node:readline';
import pg from 'pg';

// A controller's connection in a process of its own, so that it can be stopped and killed. It executes
// the statements that come in, one a line, and answers each with `done` or `failed` and a reason.
const [connectionString, schema] = process.argv.slice(2);
// The server must not help by noticing that this client is gone: the fence alone has to hold.
const options = `-c search_path=${schema} -c client_connection_check_interval=0`;
const client = new pg.Client({ connectionString, options });
client.on('error', () => undefined);
await client.connect();
process.stdout.write('done connected\n');
for await (const statement of createInterface({ input: process.stdin })) {
  try {
    await client.query(statement);
    process.stdout.write(`done ${statement}\n`);
  } catch (error) {
    process.stdout.write(`failed ${error instanceof Error ? error.message : error}\n`);
  }
}
process.exit(0);
