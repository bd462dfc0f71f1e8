import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { createLogger, format, transports } from 'winston';
import type { LogConfig } from './config/types.ts';

/** Facts that go with a log line; a bigint is written as a decimal string. */
export type Fields = Readonly<Record<string, unknown>>;

/** Structured log to standard error. The message is a sentence; the facts are fields. */
export interface Log {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
  /** A log whose lines all carry these fields. */
  with(fields: Fields): Log;
}

/** Makes the log of one process. `base` goes on every line, for instance `{ process: 'heartbeat', node }`. */
export function makeLog(config: LogConfig, base: Fields): Log {
  const logger = createLogger({
    level: config.level,
    format: config.format === 'json' ? jsonFormat : textFormat,
    transports: [new transports.Stream({ stream: standardError() })],
    exitOnError: false,
  });
  return wrap((level, message, fields) => {
    logger.log(level, message, plain(fields));
  }, base);
}

const STANDARD_ERROR = 2;

/** What can't be written, because the disk is full or the reader is gone, is lost: a log must end nobody. */
function standardError(): Writable {
  return new Writable({
    write: (line: Buffer, _encoding, done) => {
      try {
        writeSync(STANDARD_ERROR, line);
      } catch {
        // There is no place left to say so.
      }
      done();
    },
  });
}

/** A log that keeps nothing, for tests of parts that log. */
export const silentLog: Log = wrap(() => undefined, {});

type Write = (level: LogConfig['level'], message: string, fields: Fields) => void;

function wrap(write: Write, base: Fields): Log {
  return {
    error: (message, fields) => write('error', message, { ...base, ...fields }),
    warn: (message, fields) => write('warn', message, { ...base, ...fields }),
    info: (message, fields) => write('info', message, { ...base, ...fields }),
    debug: (message, fields) => write('debug', message, { ...base, ...fields }),
    with: (fields) => wrap(write, { ...base, ...fields }),
  };
}

const jsonFormat = format.combine(format.timestamp(), format.json());

const textFormat = format.combine(
  format.timestamp(),
  format.printf(({ timestamp, level, message, ...fields }) => {
    const facts = Object.entries(fields).map(([key, value]) => `${key}=${show(value)}`);
    return [timestamp, level.padEnd(5), message, ...facts].join(' ');
  }),
);

function show(value: unknown): string {
  return typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}

function plain(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? value.toString() : value,
    ]),
  );
}
