/**
 * What the rivals keep on the air: a small HTTP server that answers with the name of its host. Run as
 * `node server.js ADDRESS PORT NAME`. It ends when whoever started it has ended.
 */
import { createServer } from 'node:http';

const LOOK_FOR_PARENT_EVERY_MS = 250;

const [address, port, name] = process.argv.slice(2);
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, LOOK_FOR_PARENT_EVERY_MS);
createServer((_, response) => response.end(name)).listen(Number(port), address);
