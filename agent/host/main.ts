/**
 * The module host: a process of the worker in which attempts run that need no process of their own, many
 * at a time. What one of them does can end the host; nothing of the worker ends with it.
 */
import { endIfOrphaned } from '@understudy/shared/runtime/child';
import { HostedAttempts } from './carry-out.ts';
import { capturePrinting } from './current.ts';
import type { FromHost, HostNews, ToHost } from './link.ts';

endIfOrphaned();
const exit = process.exit.bind(process);
process.on('disconnect', () => exit(0));
// To end is the worker's to order: a terminal sends these to the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

const send = (message: FromHost): void => {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined);
};

let waiting: HostNews[] = [];
const attempts = new HostedAttempts((news) => {
  waiting.push(news);
  // What happens in the same moment travels together.
  if (waiting.length === 1) setImmediate(flush);
});

function flush(): void {
  const news = waiting;
  waiting = [];
  send({ type: 'news', news });
}

capturePrinting();
process.on('uncaughtException', (error) => attempts.uncaught(error));
process.on('unhandledRejection', (error) => attempts.uncaught(error));
process.exit = () => {
  throw new Error('a module shares its process with others and must not end it');
};

process.on('message', (message: ToHost) => {
  switch (message.type) {
    case 'start':
      for (const start of message.starts) attempts.start(start);
      send({ type: 'well' });
      return;
    case 'abort':
      attempts.abort(message.id, message.reason);
      send({ type: 'well' });
      return;
    case 'check':
      send({ type: 'well' });
  }
});

send({ type: 'ready' });
